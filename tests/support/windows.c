/* What a started program sees of itself on Windows, and a few ways to end. The bounded waits end by themselves.
 *
 *   see            arguments, standard handles, console, each on a line
 *   exit N         end with this code
 *   cat            copy standard input to standard output
 *   close N        close the three standard handles, end after N ms with code 5
 *   wait FILE      say `ready` in FILE, then wait; say `ctrl N` for each console event
 *   start PROGRAM ...   (used by the test) start a program in a group of its own, send Ctrl-C and Ctrl-Break after it
 *                  said ready, print its code
 */
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>

static const wchar_t *told;

static void report(const char *text) {
    HANDLE file = CreateFileW(told, FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_ALWAYS, 0, NULL);
    DWORD done;
    WriteFile(file, text, (DWORD)strlen(text), &done, NULL);
    CloseHandle(file);
}

static BOOL WINAPI on_event(DWORD event) {
    char text[32];
    sprintf(text, "ctrl %lu\n", event);
    report(text);
    if (event == CTRL_BREAK_EVENT) ExitProcess(77);
    return TRUE;
}

static int see(int argc, wchar_t **argv) {
    for (int i = 1; i < argc; i++) {
        printf("argument ");
        for (wchar_t *each = argv[i]; *each; each++) printf("%04x", *each);
        printf("\n");
    }
    DWORD numbers[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
    for (int i = 0; i < 3; i++) printf("handle %d type %lu\n", i, GetFileType(GetStdHandle(numbers[i])));
    printf("console %d window %d\n", GetConsoleCP() != 0, GetConsoleWindow() != NULL);
    return 0;
}

static int start(int argc, wchar_t **argv) {
    wchar_t line[4096] = L"";
    for (int i = 3; i < argc; i++) {
        wcscat(line, L"\"");
        wcscat(line, argv[i]);
        wcscat(line, L"\" ");
    }
    told = argv[2];
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION made;
    if (!CreateProcessW(NULL, line, NULL, NULL, TRUE, CREATE_NEW_PROCESS_GROUP, NULL, NULL, &startup, &made)) return 91;
    for (int i = 0; i < 200 && GetFileAttributesW(told) == INVALID_FILE_ATTRIBUTES; i++) Sleep(50);
    Sleep(300);
    GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, made.dwProcessId);
    WaitForSingleObject(made.hProcess, 20000);
    DWORD code;
    GetExitCodeProcess(made.hProcess, &code);
    printf("code %lu\n", code);
    return 0;
}

int wmain(int argc, wchar_t **argv) {
    const wchar_t *what = argc > 1 ? argv[1] : L"";
    if (!wcscmp(what, L"exit")) ExitProcess(wcstoul(argv[2], NULL, 0));
    if (!wcscmp(what, L"start")) return start(argc, argv);
    if (!wcscmp(what, L"cat")) {
        char data[65536];
        size_t got;
        _setmode(0, _O_BINARY);
        _setmode(1, _O_BINARY);
        while ((got = fread(data, 1, sizeof data, stdin)) > 0) fwrite(data, 1, got, stdout);
        return 0;
    }
    if (!wcscmp(what, L"close")) {
        CloseHandle(GetStdHandle(STD_INPUT_HANDLE));
        CloseHandle(GetStdHandle(STD_OUTPUT_HANDLE));
        CloseHandle(GetStdHandle(STD_ERROR_HANDLE));
        Sleep(wcstoul(argv[2], NULL, 0));
        ExitProcess(5);
    }
    if (!wcscmp(what, L"wait")) {
        told = argv[2];
        SetConsoleCtrlHandler(on_event, TRUE);
        report("ready\n");
        Sleep(30000);
        return 97;
    }
    return see(argc, argv);
}
