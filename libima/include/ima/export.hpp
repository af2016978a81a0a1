#pragma once

// Marks what the shared library promises. Everything without it is hidden (the library is compiled
// with -fvisibility=hidden), so a name that is not documented cannot be linked against by accident.
#if defined(__GNUC__)
#define IMA_API __attribute__((visibility("default")))
#else
#define IMA_API
#endif
