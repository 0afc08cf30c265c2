/* SPDX-License-Identifier: MIT */
/* names_list.c: the names of all regions of this machine, for `tern ls` and `tern top`. */
#include "look.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where names live and what their files begin with: the library says it in one path. */
static bool split_path(char *folder, size_t folder_size_bytes, const char **prefix)
{
    if (tern_shm_path("x", folder, folder_size_bytes) != TERN_OK) return false;
    char *slash = strrchr(folder, '/');
    if (!slash) return false;
    *slash = '\0';
    slash[strlen(slash + 1)] = '\0';   /* the x */
    *prefix = slash + 1;
    return true;
}

static const char *prefix_of_filter = "";

static int has_prefix(const struct dirent *entry)
{
    return strncmp(entry->d_name, prefix_of_filter, strlen(prefix_of_filter)) == 0;
}

bool names_list(char ***names, size_t *count)
{
    static char folder[TERN_SHM_NAME_MAX + 32];
    struct dirent **entries;
    *names = NULL;
    *count = 0;
    if (!split_path(folder, sizeof folder, &prefix_of_filter)) {
        complain("named regions: %s", tern_status_text(TERN_ERR_UNSUPPORTED));
        return false;
    }
    int found = scandir(folder, &entries, has_prefix, alphasort);
    if (found < 0) {
        complain("cannot list %s: %s", folder, strerror(errno));
        return false;
    }
    *names = calloc((size_t)found + 1, sizeof **names);
    for (int i = 0; i < found; i++) {
        char *name = *names ? strdup(entries[i]->d_name + strlen(prefix_of_filter)) : NULL;
        if (name) (*names)[(*count)++] = name;
        free(entries[i]);
    }
    free(entries);
    return *names != NULL;
}

void names_free(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++) free(names[i]);
    free(names);
}
