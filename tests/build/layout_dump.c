/* SPDX-License-Identifier: MIT */
/* layout_dump.c: tern_layout() and its hash as text, one line a field. */
#include <stdio.h>

#include <tern/region.h>

int main(void)
{
    printf("hash %08x\n", (unsigned)tern_layout_hash());
    for (const tern_layout_field *f = tern_layout(); f->structure; f++)
        printf("%s %s %u %u\n", f->structure, f->name[0] ? f->name : "-", (unsigned)f->offset_bytes,
               (unsigned)f->size_bytes);
    return 0;
}
