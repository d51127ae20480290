/* What a started program sees of itself, one fact a line; and a few ways to end. Linux.
 *
 *   probe see FILE          write every fact to FILE (standard streams are left alone)
 *   probe args              print each argument in hexadecimal, a line each, as a digest where there are many
 *   probe exit N            end with this code
 *   probe kill N            end by this signal
 *   probe cat               copy standard input to standard output
 *   probe count             read standard input to its end, print how many bytes
 *   probe wait FILE         say so in FILE when ready, then wait; a line more for each signal that comes
 *   probe tty               print the terminal's settings, switch to raw mode and back
 *   probe odd PROGRAM ...   start a program with an environment that no shell would make
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <termios.h>
#include <unistd.h>

static FILE *out;

static void bytes(const char *name, const char *data, size_t length) {
    fprintf(out, "%s ", name);
    for (size_t i = 0; i < length; i++) fprintf(out, "%02x", (unsigned char)data[i]);
    fputc('\n', out);
}

static void file(const char *name, const char *path, int is_binary) {
    static char data[1 << 22];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = 0, got;
    while (fd >= 0 && (got = read(fd, data + length, sizeof data - length - 1)) > 0) length += got;
    if (fd >= 0) close(fd);
    data[length] = 0;
    if (is_binary) {
        bytes(name, data, length);
        return;
    }
    for (char *line = strtok(data, "\n"); line; line = strtok(NULL, "\n")) fprintf(out, "%s %s\n", name, line);
}

static void target(const char *name, const char *path) {
    char text[8192];
    ssize_t length = readlink(path, text, sizeof text);
    bytes(name, text, length < 0 ? 0 : length);
}

static void descriptors(int own) {
    for (int fd = 0; fd < 4096; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags < 0 || fd == own) continue;
        char path[64], text[4096];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, text, sizeof text - 1);
        text[length < 0 ? 0 : length] = 0;
        /* The number in `pipe:[1234]` is another in every run. */
        char *number = strchr(text, '[');
        if (number && strchr(text, ':')) *number = 0;
        fprintf(out, "fd %d %s flags %d status %o offset %lld\n", fd, text, flags, fcntl(fd, F_GETFL),
                (long long)lseek(fd, 0, SEEK_CUR));
    }
}

static void signals(void) {
    sigset_t mask, pending;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    sigpending(&pending);
    for (int number = 1; number < 65; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) != 0) continue;
        fprintf(out, "signal %d %s flags %x%s%s\n", number,
                action.sa_handler == SIG_DFL ? "default" : action.sa_handler == SIG_IGN ? "ignored" : "handled",
                action.sa_flags, sigismember(&mask, number) ? " blocked" : "",
                sigismember(&pending, number) ? " pending" : "");
    }
    stack_t stack;
    sigaltstack(NULL, &stack);
    fprintf(out, "sigaltstack %x %zu\n", stack.ss_flags, stack.ss_size);
    for (int which = 0; which < 3; which++) {
        struct itimerval timer;
        getitimer(which, &timer);
        fprintf(out, "itimer %d %ld\n", which, timer.it_value.tv_sec);
    }
}

static void settings(void) {
    int death = 0;
    prctl(PR_GET_PDEATHSIG, &death);
    int reaper = 0;
    prctl(PR_GET_CHILD_SUBREAPER, &reaper);
    char name[32] = "";
    prctl(PR_GET_NAME, name);
    fprintf(out, "prctl deathsig %d dumpable %d keepcaps %d nonewprivs %d reaper %d slack %d thp %d seccomp %d\n", death,
            prctl(PR_GET_DUMPABLE), prctl(PR_GET_KEEPCAPS), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), reaper,
            prctl(PR_GET_TIMERSLACK), prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), prctl(PR_GET_SECCOMP));
    fprintf(out, "name %s\n", name);
    mode_t mask = umask(0);
    umask(mask);
    fprintf(out, "umask %o\npersonality %x\nnice %d\nscheduler %d\n", mask, personality(0xffffffff),
            getpriority(PRIO_PROCESS, 0), sched_getscheduler(0));
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof cpus, &cpus);
    fprintf(out, "cpus %d\n", CPU_COUNT(&cpus));
    for (int which = 0; which < RLIMIT_NLIMITS; which++) {
        struct rlimit limit;
        getrlimit(which, &limit);
        fprintf(out, "limit %d %llu %llu\n", which, (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
    }
    fprintf(out, "secure %lu platform %s\n", getauxval(AT_SECURE), (char *)getauxval(AT_PLATFORM));
    fprintf(out, "ids %d %d %d %d\n", getuid(), geteuid(), getgid(), getegid());
    fprintf(out, "leader of session %d of group %d foreground %d\n", getsid(0) == getpid(), getpgrp() == getpid(),
            tcgetpgrp(0) == getpgrp());
    struct rusage children;
    getrusage(RUSAGE_CHILDREN, &children);
    fprintf(out, "children %ld %ld\n", children.ru_utime.tv_sec, children.ru_minflt);
}

static void see(const char *path, int argc, char **argv, char **environment) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) exit(99);
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 200); /* the low numbers are those that are looked at */
    close(fd);
    fd = high;
    out = fdopen(fd, "w");
    for (int i = 0; i < argc; i++) bytes("argument", argv[i], strlen(argv[i]));
    for (char **each = environment; *each; each++) bytes("environment", *each, strlen(*each));
    file("initial-environment", "/proc/self/environ", 1);
    file("command-line", "/proc/self/cmdline", 1);
    target("directory", "/proc/self/cwd");
    target("root", "/proc/self/root");
    target("executable", "/proc/self/exe");
    descriptors(fd);
    signals();
    settings();
    file("status", "/proc/self/status", 0);
    file("limits", "/proc/self/limits", 0);
    file("cgroup", "/proc/self/cgroup", 0);
    file("oom", "/proc/self/oom_score_adj", 0);
    file("coredump", "/proc/self/coredump_filter", 0);
    file("setgroups", "/proc/self/setgroups", 0);
    file("autogroup", "/proc/self/attr/current", 0);
    file("loginuid", "/proc/self/loginuid", 0);
    file("timers", "/proc/self/timers", 0);
    file("slack", "/proc/self/timerslack_ns", 0);
    fclose(out);
}

static void arguments(int argc, char **argv) {
    uint64_t digest = 14695981039346656037ULL; /* FNV-1a */
    for (int i = 0; i < argc; i++) {
        for (const char *each = argv[i]; ; each++) {
            digest = (digest ^ (unsigned char)*each) * 1099511628211ULL;
            if (!*each) break;
        }
    }
    printf("%d arguments, digest %016llx\n", argc, (unsigned long long)digest);
}

static const char *told;

static void on_signal(int number) {
    char text[32];
    int length = snprintf(text, sizeof text, "signal %d\n", number);
    int fd = open(told, O_WRONLY | O_APPEND);
    if (write(fd, text, length) != length) _exit(98);
    close(fd);
}

static void wait_for_signals(const char *path) {
    told = path;
    struct sigaction action = {.sa_handler = on_signal};
    int numbers[] = {SIGUSR1, SIGWINCH, SIGCONT};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) sigaction(numbers[i], &action, NULL);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (write(fd, "ready\n", 6) != 6) _exit(98);
    close(fd);
    for (int i = 0; i < 30; i++) sleep(1); /* bounded, whatever becomes of the test */
    _exit(97);
}

static void terminal(void) {
    struct termios settings;
    struct winsize size = {0};
    for (int fd = 0; fd < 3; fd++) printf("isatty %d %d\n", fd, isatty(fd));
    if (tcgetattr(0, &settings) != 0) exit(96);
    ioctl(0, TIOCGWINSZ, &size);
    printf("%x %x %x %x %dx%d\n", settings.c_iflag, settings.c_oflag, settings.c_cflag, settings.c_lflag, size.ws_col, size.ws_row);
    struct termios raw = settings;
    cfmakeraw(&raw);
    tcsetattr(0, TCSANOW, &raw);
    printf("raw\n");
    fflush(stdout);
    char key = 0;
    if (read(0, &key, 1) != 1) exit(95);
    tcsetattr(0, TCSANOW, &settings);
    printf("key %02x\n", key);
}

int main(int argc, char **argv, char **environment) {
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "see") && argc > 2) see(argv[2], argc, argv, environment);
    else if (!strcmp(what, "exit") && argc > 2) return atoi(argv[2]);
    else if (!strcmp(what, "kill") && argc > 2) { raise(atoi(argv[2])); pause(); }
    else if (!strcmp(what, "wait") && argc > 2) wait_for_signals(argv[2]);
    else if (!strcmp(what, "tty")) terminal();
    else if (!strcmp(what, "odd") && argc > 2) {
        char *odd[] = {"TWICE=1", "TWICE=2", "no equals sign", "=nothing before it", "EMPTY=", "LC_CTYPE=C", "LC_CTYPE=POSIX",
                       "A B=\xff\xfe", "", NULL};
        execve(argv[2], argv + 2, odd);
        return 92;
    }
    else if (!strcmp(what, "cat") || !strcmp(what, "count")) {
        static char data[1 << 16];
        long long total = 0;
        ssize_t got;
        while ((got = read(0, data, sizeof data)) > 0) {
            total += got;
            for (ssize_t done = 0, put; *what == 'c' && what[1] == 'a' && done < got; done += put)
                if ((put = write(1, data + done, got - done)) < 0) return 94;
        }
        if (got < 0) { fprintf(stderr, "read: %s\n", strerror(errno)); return 93; }
        if (what[1] == 'o') printf("%lld bytes\n", total);
    } else if (!strcmp(what, "--version")) puts("leanspec-probe 9.9.9");
    else arguments(argc - 1, argv + 1);
    return 0;
}
