/* SPDX-License-Identifier: MIT */
/* exports.h: how the tests' C code shows things to JavaScript beside the library's own exports. */
#ifndef TERN_EXPORTS_H
#define TERN_EXPORTS_H

#include <tern/tern.h>

#define EXPORT(name) __attribute__((export_name(name)))

/* A call of a header, under its own name. */
#define WRAP(result, name, parameters, arguments) \
    EXPORT(#name) result export_##name parameters; \
    result export_##name parameters { return name arguments; }
#define WRAP_VOID(name, parameters, arguments) \
    EXPORT(#name) void export_##name parameters; \
    void export_##name parameters { name arguments; }

/* A number, such as the size of a view, as a function without parameters. EXPORTS_OF, defined
 * before this header, tells one file's functions from another's. */
#define NUMBER(name, value) \
    EXPORT(name) uint32_t WRAP_NAME(EXPORTS_OF, __LINE__)(void); \
    uint32_t WRAP_NAME(EXPORTS_OF, __LINE__)(void) { return (uint32_t)(value); }
#define WRAP_NAME(file, line) WRAP_JOIN(file, line)
#define WRAP_JOIN(left, right) number_of_##left##_##right

#endif
