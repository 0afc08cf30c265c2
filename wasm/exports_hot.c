/* SPDX-License-Identifier: MIT */
/* exports_hot.c: the inline calls that a worker makes for each item, compiled for speed. What they do now and then only
 * is in exports_cold.c; each tells the compiler what is known after it, so that it is not here as well. */
#include "exports.h"

EXPORT_AS(bool, tern_ring_push, (tern_ring_producer *p, const void *item),
          if (p->sequenced) return export_push_sequenced(p, item);
          if (p->tail == p->limit && !export_see_space(p)) return false;
          __builtin_assume(p->tail != p->limit);
          return tern__ring_push_indexed(p, item, p->item_size_bytes))

EXPORT_AS(bool, tern_ring_pop, (tern_ring_consumer *c, void *item),
          if (c->sequenced) return export_pop_sequenced(c, item);
          if (c->head == c->limit && !export_see_items(c)) return false;
          __builtin_assume(c->head != c->limit);
          return tern__ring_pop_indexed(c, item, c->item_size_bytes))

EXPORT_AS(uint32_t, tern_ring_push_many, (tern_ring_producer *p, const void *items, uint32_t count),
          if (p->sequenced) return export_push_many_sequenced(p, items, count);
          if (p->limit - p->tail < count && !export_see_space(p)) return 0;
          if (p->limit - p->tail < count) count = p->limit - p->tail;
          __builtin_assume(p->limit - p->tail >= count);
          return tern__ring_push_many_indexed(p, items, count, p->item_size_bytes))

EXPORT_AS(uint32_t, tern_ring_pop_many, (tern_ring_consumer *c, void *items, uint32_t count),
          if (c->sequenced) return export_pop_many_sequenced(c, items, count);
          if (count == 0 || (c->head == c->limit && !export_see_items(c))) return 0;
          __builtin_assume(c->head != c->limit);
          return tern__ring_pop_many_indexed(c, items, count, c->item_size_bytes))
