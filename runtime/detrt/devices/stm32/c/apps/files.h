/* Files of the computer that runs this program or emulates it: stdio on a host, semihosting on a board. */
#ifndef FILES_H
#define FILES_H

#include <stdint.h>
#include <string.h>

#if defined(__arm__)
#include "../boards/semihosting.h"

typedef int32_t file;

static inline file file_open(const char *name, int32_t mode)
{
    const uintptr_t block[3] = {(uintptr_t)name, (uintptr_t)mode, strlen(name)};
    return semihosting(SEMIHOSTING_OPEN, block); /* -1 if it fails */
}

static inline int32_t file_transfer(file which, int32_t operation, const void *data, uint32_t bytes)
{
    const uintptr_t block[3] = {(uintptr_t)which, (uintptr_t)data, bytes};
    return which != -1 && semihosting(operation, block) == 0 ? 0 : -1; /* it gives the bytes that were not transferred */
}

static inline file file_create(const char *name)
{
    return file_open(name, SEMIHOSTING_WRITE_BINARY);
}

/* 0, or -1 if the file could not be created or the disk is full. */
static inline int32_t file_write(file to, const void *data, uint32_t bytes)
{
    return file_transfer(to, SEMIHOSTING_WRITE, data, bytes);
}

static inline int32_t file_close(file which)
{
    const uintptr_t block[1] = {(uintptr_t)which};
    return which != -1 && semihosting(SEMIHOSTING_CLOSE, block) == 0 ? 0 : -1;
}

/* The first `bytes` bytes of a file: 0, or -1 if it cannot be opened or holds fewer. */
static inline int32_t file_read(const char *name, void *data, uint32_t bytes)
{
    const file from = file_open(name, SEMIHOSTING_READ_BINARY);
    const int32_t failed = file_transfer(from, SEMIHOSTING_READ, data, bytes);
    return file_close(from) | failed;
}

static inline void print(const char *text)
{
    semihosting(SEMIHOSTING_WRITE0, text);
}

#else
#include <stdio.h>

typedef FILE *file;

static inline file file_create(const char *name)
{
    return fopen(name, "wb");
}

static inline int32_t file_write(file to, const void *data, uint32_t bytes)
{
    return to != NULL && fwrite(data, 1, bytes, to) == bytes ? 0 : -1;
}

static inline int32_t file_close(file which)
{
    return which != NULL && fclose(which) == 0 ? 0 : -1;
}

static inline int32_t file_read(const char *name, void *data, uint32_t bytes)
{
    file from = fopen(name, "rb");
    const int32_t failed = from != NULL && fread(data, 1, bytes, from) == bytes ? 0 : -1;
    return file_close(from) | failed;
}

static inline void print(const char *text)
{
    fputs(text, stdout);
}
#endif

#endif
