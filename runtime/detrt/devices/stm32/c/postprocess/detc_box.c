/* The box of a candidate, from its numbers in the outputs. */
#include "detc_postprocess.h"

#define FARTHEST (INT32_C(1) << 20) /* 16 canvases */
#define CANVAS INT32_C(65536)

static int32_t held(int64_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : (int32_t)value;
}

static int64_t times(int64_t value, int32_t unit)
{
    return (value * unit + (INT32_C(1) << 23)) >> 24;
}

static void centred(const detc_map *map, const int8_t *q, const int32_t *units, int32_t x, int32_t y, detc_detection *box)
{
    const int32_t across = held(x + times(map->offset[q[0] + 128], units[0]), -FARTHEST, FARTHEST);
    const int32_t down = held(y + times(map->offset[q[1] + 128], units[1]), -FARTHEST, FARTHEST);
    const int32_t width = held(times(map->size[q[2] + 128], units[2]), -FARTHEST, FARTHEST);
    const int32_t height = held(times(map->size[q[3] + 128], units[3]), -FARTHEST, FARTHEST);
    box->x1 = across - width;
    box->y1 = down - height;
    box->x2 = across + width;
    box->y2 = down + height;
}

/* The mean of 0 .. bins - 1, weighted by the powers of their numbers, in 1/65536. */
static int64_t mean_of(const int8_t *q, uint32_t bins, const int32_t *power)
{
    int32_t most = q[0];
    uint64_t sum = 0, weighted = 0;
    for (uint32_t i = 1; i < bins; i++) {
        most = q[i] > most ? q[i] : most;
    }
    for (uint32_t i = 0; i < bins; i++) {
        const uint32_t weight = (uint32_t)power[most - q[i]];
        sum += weight;
        weighted += (uint64_t)weight * i;
    }
    return (int64_t)((weighted * 65536 + sum / 2) / sum);
}

static void by_sides(const detc_map *map, const int8_t *q, uint32_t bins, const int32_t *units, int32_t x, int32_t y,
                     detc_detection *box)
{
    box->x1 = held(x - times(mean_of(q, bins, map->size), units[0]), 0, CANVAS);
    box->y1 = held(y - times(mean_of(q + bins, bins, map->size), units[1]), 0, CANVAS);
    box->x2 = held(x + times(mean_of(q + 2 * bins, bins, map->size), units[0]), 0, CANVAS);
    box->y2 = held(y + times(mean_of(q + 3 * bins, bins, map->size), units[1]), 0, CANVAS);
}

/* Fills in the box of a candidate and makes its number a label. */
void detc_box(const detc_head *head, const int8_t *const outputs[], detc_detection *candidate)
{
    const detc_map *map = head->maps;
    uint32_t place = candidate->label / head->classes;
    while (place >= map->rows * map->columns * map->boxes) {
        place -= map->rows * map->columns * map->boxes;
        map++;
    }
    const uint32_t cells = map->rows * map->columns;
    const uint32_t cell = head->boxes_first ? place % cells : place / map->boxes;
    const uint32_t box = head->boxes_first ? place / cells : place % map->boxes;
    const detc_field *field = &map->place;
    const int8_t *q = outputs[field->output] + field->first + cell * field->cell + box * field->box;
    const int32_t x = map->x[cell % map->columns], y = map->y[cell / map->columns];
    if (head->bins) {
        by_sides(map, q, head->bins, map->units[box], x, y, candidate);
    } else {
        centred(map, q, map->units[box], x, y, candidate);
    }
    candidate->label %= head->classes;
}
