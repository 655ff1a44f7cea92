/* The likeliest classes of a whole picture. */
#include "detc_postprocess.h"

uint32_t detc_classify(const int8_t *numbers, uint32_t classes, const int32_t power[256], uint32_t top,
                       detc_detection *found)
{
    uint32_t count = 0, sum = 0;
    for (uint32_t i = 0; i < classes; i++) {
        count = detc_keep(found, count, top, numbers[i], i);
    }
    detc_sort(found, count);
    const int32_t most = found[0].score;
    for (uint32_t i = 0; i < classes; i++) {
        sum += (uint32_t)power[most - numbers[i]];
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t mine = (uint32_t)power[most - found[i].score];
        found[i].x1 = found[i].y1 = 0;
        found[i].x2 = found[i].y2 = 65536;
        found[i].score = (int32_t)(((mine << 24) + sum / 2) / sum);
    }
    return count;
}
