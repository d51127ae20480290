/* The python.exe of a Windows CPython that came as a DLL: argument handling, exit code and all are the DLL's. */
#include <windows.h>
#include <wchar.h>

typedef int (*py_main)(int, wchar_t **);

int wmain(int argc, wchar_t **argv) {
    wchar_t folder[MAX_PATH];
    GetModuleFileNameW(NULL, folder, MAX_PATH);
    *wcsrchr(folder, L'\\') = 0;
    SetDllDirectoryW(folder);
    HMODULE dll = LoadLibraryW(L"python312.dll");
    return dll ? ((py_main)GetProcAddress(dll, "Py_Main"))(argc, argv) : 103;
}
