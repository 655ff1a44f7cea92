/* The best of many candidates in a buffer of fixed size: a heap with the worst of them on top, then sorted in place. */
#include "detc_postprocess.h"

/* The greater score comes first, of equal ones the lower number. */
static int worse(const detc_detection *a, const detc_detection *b)
{
    return a->score < b->score || (a->score == b->score && a->label > b->label);
}

/* Puts `entry` where the heap of `count` entries wants it, from its top down. */
static void sink(detc_detection *heap, uint32_t count, detc_detection entry)
{
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= count) {
            break;
        }
        if (child + 1 < count && worse(&heap[child + 1], &heap[child])) {
            child++;
        }
        if (!worse(&heap[child], &entry)) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = entry;
}

uint32_t detc_keep(detc_detection *heap, uint32_t count, uint32_t most, int32_t score, uint32_t number)
{
    const detc_detection entry = {0, 0, 0, 0, score, number};
    if (count == most) {
        if (most && worse(&heap[0], &entry)) {
            sink(heap, count, entry);
        }
        return count;
    }
    uint32_t at = count;
    while (at && worse(&entry, &heap[(at - 1) / 2])) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = entry;
    return count + 1;
}

void detc_sort(detc_detection *heap, uint32_t count)
{
    while (count > 1) {
        const detc_detection last = heap[--count];
        heap[count] = heap[0];
        sink(heap, count, last);
    }
}
