/* SPDX-License-Identifier: MIT */
/* exports.h: an inline call as a function that a module can export. */
#ifndef TERN_WASM_EXPORTS_H
#define TERN_WASM_EXPORTS_H

#include <tern/tern.h>

/* EXPORT(bool, tern_ring_push, (tern_ring_producer *p, const void *item), (p, item)): under the call's own name. */
#define EXPORT(result, name, parameters, arguments) EXPORT_AS(result, name, parameters, return name arguments)
#define EXPORT_VOID(name, parameters, arguments) EXPORT_AS(void, name, parameters, name arguments)
#define EXPORT_AS(result, name, parameters, statement) \
    __attribute__((export_name(#name))) result export_##name parameters; \
    result export_##name parameters { statement; }

/* Of the calls in exports_hot.c the parts that are not: waiting for items, and the sequenced layout. */
bool export_see_space(tern_ring_producer *p);
bool export_see_items(tern_ring_consumer *c);
bool export_push_sequenced(tern_ring_producer *p, const void *item);
bool export_pop_sequenced(tern_ring_consumer *c, void *item);
uint32_t export_push_many_sequenced(tern_ring_producer *p, const void *items, uint32_t count);
uint32_t export_pop_many_sequenced(tern_ring_consumer *c, void *items, uint32_t count);

#endif
