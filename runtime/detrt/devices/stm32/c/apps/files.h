/* Whole files of the computer that runs this program or emulates it: stdio on a host, semihosting on a board. */
#ifndef FILES_H
#define FILES_H

#include <stdint.h>
#include <string.h>

#if defined(__arm__)
#include "../boards/semihosting.h"

static inline int32_t file_transfer(const char *name, int32_t mode, int32_t operation, const void *data, uint32_t bytes)
{
    const uintptr_t how[3] = {(uintptr_t)name, (uintptr_t)mode, strlen(name)};
    const int32_t file = semihosting(SEMIHOSTING_OPEN, how);
    if (file == -1) {
        return -1;
    }
    const uintptr_t what[3] = {(uintptr_t)file, (uintptr_t)data, bytes};
    const int32_t missing = semihosting(operation, what); /* bytes that were not transferred */
    const uintptr_t which[1] = {(uintptr_t)file};
    semihosting(SEMIHOSTING_CLOSE, which);
    return missing == 0 ? 0 : -1;
}

/* 0, or -1 if the file cannot be opened or holds fewer bytes. */
static inline int32_t file_read(const char *name, void *data, uint32_t bytes)
{
    return file_transfer(name, SEMIHOSTING_READ_BINARY, SEMIHOSTING_READ, data, bytes);
}

/* 0, or -1 if the file cannot be written. */
static inline int32_t file_append(const char *name, const void *data, uint32_t bytes)
{
    return file_transfer(name, SEMIHOSTING_APPEND_BINARY, SEMIHOSTING_WRITE, data, bytes);
}

static inline void print(const char *text)
{
    semihosting(SEMIHOSTING_WRITE0, text);
}

#else
#include <stdio.h>

static inline int32_t file_read(const char *name, void *data, uint32_t bytes)
{
    FILE *file = fopen(name, "rb");
    if (file == NULL) {
        return -1;
    }
    const size_t done = fread(data, 1, bytes, file);
    return fclose(file) == 0 && done == bytes ? 0 : -1;
}

static inline int32_t file_append(const char *name, const void *data, uint32_t bytes)
{
    FILE *file = fopen(name, "ab");
    if (file == NULL) {
        return -1;
    }
    const size_t done = fwrite(data, 1, bytes, file);
    return fclose(file) == 0 && done == bytes ? 0 : -1;
}

static inline void print(const char *text)
{
    fputs(text, stdout);
}
#endif

#endif
