/* SPDX-License-Identifier: MIT */
/* lies.c: what a hostile peer writes: boundary values, near misses, forged headers. */
#include "hostile.h"
#include "../../lib/internal.h"

/* ---- Lies ------------------------------------------------------------------------------------------ */

static uint32_t lies_get(const world *w, uint32_t offset)
{
    return __atomic_load_n((const uint32_t *)(const void *)(w->alias + offset), __ATOMIC_RELAXED);
}

static void lies_set(world *w, uint32_t offset, uint32_t value)
{
    __atomic_store_n((uint32_t *)(void *)(w->alias + offset), value, __ATOMIC_RELAXED);
}

static uint32_t lies_lie(world *w, uint32_t offset)
{
    uint64_t r = hostile_random(w);
    uint32_t now = lies_get(w, offset), cap = w->capacity_items, value;
    uint32_t own = __atomic_load_n(&w->own, __ATOMIC_RELAXED);
    switch (r % 20) {
    case 0: value = 0; break;
    case 1: value = 1; break;
    case 2: value = cap - 1; break;
    case 3: value = cap; break;
    case 4: value = cap + 1; break;
    case 5: value = 0x7fffffffu; break;
    case 6: value = 0x80000000u; break;
    case 7: value = UINT32_MAX; break;
    case 8: value = own - 1; break;
    case 9: value = own; break;
    case 10: value = own + 1; break;
    case 11: value = own + cap; break;
    case 12: value = own - cap; break;
    case 13: value = own + (uint32_t)(r >> 32) % (2 * cap + 3) - cap - 1; break;
    case 14: return now ^ 1u << (r >> 32) % 32;
    case 15: return now + 1;
    case 16: return now - 1;
    case 17: value = (uint32_t)(r >> 32) % 64; break;
    case 18: value = now; break;
    default: value = (uint32_t)(r >> 32);
    }
    return r >> 16 & 1 ? value << 1 | (r >> 17 & 1) : value;   /* in the words of rings a flag comes below */
}

/* Geometry with the right hash, which guards against damage alone: one number changed, or all of another shape. */
static void lies_forge(world *w)
{
    uint32_t bytes = w->victim->geometry_bytes, fields = bytes / 4 - 1;
    unsigned char forged[64];
    const unsigned char *other = w->others[hostile_below(w, 8)] + 8;
    memcpy(forged, w->alias + 8, bytes);
    uint32_t at = hostile_below(w, fields), value = lies_lie(w, 8 + at * 4);
    if (hostile_below(w, 2)) memcpy(forged, other, bytes);   /* all of it */
    else memcpy(forged + at * 4, &value, 4);
    value = tern__geometry_check(forged, bytes);
    memcpy(forged + fields * 4, &value, 4);
    for (uint32_t i = 0; i < bytes; i += 4) {
        memcpy(&value, forged + i, 4);
        lies_set(w, 8 + i, value);
    }
}

void hostile_mutate(world *w, uint32_t offset)
{
    uint64_t wide;
    if (offset >= 8 && offset < 8 + w->victim->geometry_bytes && hostile_below(w, 2)) {
        lies_forge(w);
    } else if (w->victim->lie && hostile_below(w, 4) && w->victim->lie(w, offset & ~7u, &wide)) {
        lies_set(w, offset & ~7u, (uint32_t)wide);
        lies_set(w, (offset & ~7u) + 4, (uint32_t)(wide >> 32));
    } else {
        lies_set(w, offset, lies_lie(w, offset));
    }
}

/* Mostly a word that means something to Tern, now and then any. */
void hostile_mutate_any(world *w)
{
    if (hostile_below(w, 8)) hostile_mutate(w, w->controls[hostile_below(w, w->control_count)]);
    else hostile_mutate(w, hostile_below(w, w->size_bytes / 4) * 4);
}

void *hostile_liar(void *argument)
{
    world liar = *(world *)argument;   /* with random numbers of its own */
    world *w = argument;
    liar.random = liar.seed * 2 + 1;
    /* the shape stays as it is while a thread lies */
    while (!__atomic_load_n(&w->over, __ATOMIC_RELAXED)) {
        liar.own = __atomic_load_n(&w->own, __ATOMIC_RELAXED);
        hostile_mutate_any(&liar);
        /* often at once, often some calls later: what is spoiled all the time is refused at the first look */
        for (uint32_t i = hostile_below(&liar, 2) ? 0 : hostile_below(&liar, 4000); i > 0; i--)
            __asm__ __volatile__("");
    }
    return NULL;
}
