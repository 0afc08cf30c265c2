/* SPDX-License-Identifier: MIT */
/* exports_bell.c: the bell's inline calls and the layout of its views. */
#define EXPORTS_OF bell
#include "exports.h"

WRAP(bool, tern_bell_ring, (const tern_bell *bell, uint32_t source), (bell, source))
WRAP(uint32_t, tern_bell_collect, (tern_bell *bell), (bell))
WRAP_VOID(tern_bell_begin, (tern_bell *bell, tern_bell_pass *pass), (bell, pass))
WRAP(bool, tern_bell_next, (tern_bell_pass *pass, uint32_t *first_source, uint32_t *bits), (pass, first_source, bits))

NUMBER("test_sizeof_bell", sizeof(tern_bell))
NUMBER("test_sizeof_bell_pass", sizeof(tern_bell_pass))
NUMBER("test_sizeof_bell_info", sizeof(tern_bell_info))
NUMBER("test_offsetof_bell_spin_checks", offsetof(tern_bell, spin_checks))
NUMBER("test_offsetof_bell_info_was_ringing", offsetof(tern_bell_info, was_ringing))
NUMBER("test_offsetof_bell_info_closed", offsetof(tern_bell_info, closed))
NUMBER("test_offsetof_bell_info_asleep", offsetof(tern_bell_info, asleep))
NUMBER("test_offsetof_bell_leaves", sizeof(struct tern_bell_shared))
NUMBER("test_offsetof_bell_root", offsetof(struct tern_bell_shared, root))
