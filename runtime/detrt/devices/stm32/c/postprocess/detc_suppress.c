/* Of boxes that overlap too much the best one stays. */
#include "detc_postprocess.h"

static int64_t area(const detc_detection *box)
{
    return (int64_t)(box->x2 - box->x1) * (box->y2 - box->y1);
}

/* Whether the intersection of two boxes exceeds a share of their union, 65536 the whole. Coordinates lie in -2^21 .. 2^21. */
static int clash(const detc_detection *a, const detc_detection *b, uint32_t share)
{
    const int32_t width = (a->x2 < b->x2 ? a->x2 : b->x2) - (a->x1 > b->x1 ? a->x1 : b->x1);
    const int32_t height = (a->y2 < b->y2 ? a->y2 : b->y2) - (a->y1 > b->y1 ? a->y1 : b->y1);
    if (width <= 0 || height <= 0) {
        return 0;
    }
    const int64_t inner = (int64_t)width * height;
    const int64_t whole = area(a) + area(b) - inner;
    return whole > 0 && inner * 65536 > share * whole;
}

/* Boxes that lie best first: those that stay move to the front; gives how many. */
uint32_t detc_suppress(const detc_head *head, detc_detection *found, uint32_t count)
{
    uint32_t stay = 0;
    for (uint32_t i = 0; i < count && stay < head->detections; i++) {
        uint32_t rival = 0;
        while (rival < stay && !((head->agnostic || found[rival].label == found[i].label) &&
                                 clash(&found[rival], &found[i], head->nms))) {
            rival++;
        }
        if (rival == stay) {
            found[stay++] = found[i];
        }
    }
    return stay;
}

uint32_t detc_detect(const detc_head *head, const int8_t *const outputs[], detc_detection *found)
{
    const uint32_t count = detc_candidates(head, outputs, found);
    detc_sort(found, count);
    for (uint32_t i = 0; i < count; i++) {
        detc_box(head, outputs, &found[i]);
    }
    return detc_suppress(head, found, count);
}
