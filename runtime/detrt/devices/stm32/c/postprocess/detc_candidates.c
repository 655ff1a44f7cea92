/* Which classes of which boxes score enough. */
#include "detc_postprocess.h"

static const int8_t *numbers_of(const int8_t *const outputs[], const detc_field *field, uint32_t cell, uint32_t box)
{
    return outputs[field->output] + field->first + cell * field->cell + box * field->box;
}

static uint32_t largest(const int8_t *numbers, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++) {
        if (numbers[i] > numbers[best]) {
            best = i;
        }
    }
    return best;
}

static uint32_t sum_of_powers(const int8_t *numbers, uint32_t count, int32_t most, const int32_t *power)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += (uint32_t)power[most - numbers[i]];
    }
    return sum;
}

/* 2^24 * power / sum, halves up; a power is at most 2^19. */
static int32_t share(int32_t power, uint32_t sum)
{
    return (int32_t)((((uint64_t)(uint32_t)power << 24) + sum / 2) / sum);
}

/* The least confidence of a map that counts. */
static int32_t least_of(const detc_head *head, const detc_map *map, const int8_t *const outputs[])
{
    int32_t most = -128;
    if (!head->loudest) {
        return map->least;
    }
    for (uint32_t cell = 0; cell < map->rows * map->columns; cell++) {
        for (uint32_t box = 0; box < map->boxes; box++) {
            const int8_t q = *numbers_of(outputs, &map->confidence, cell, box);
            most = q > most ? q : most;
        }
    }
    return most < map->least ? most : map->least;
}

/* The candidates of one box, whose confidence is worth `sure`; `number` is that of its first class. */
static uint32_t classes_of(const detc_head *head, const detc_map *map, const int8_t *q, int32_t sure, uint32_t number,
                           detc_detection *found, uint32_t count)
{
    const uint32_t all = head->classes + head->background;
    uint32_t first = head->background, end = all, sum = 1;
    int32_t most = 0;
    if (head->softmax) {
        most = q[largest(q, all)];
        sum = sum_of_powers(q, all, most, map->chance);
    }
    if (head->best) {
        first = largest(q, all);
        end = first + 1;
    }
    for (uint32_t i = first; i < end; i++) {
        int32_t score = head->softmax ? share(map->chance[most - q[i]], sum) : map->chance[q[i] + 128];
        if (map->sure) {
            score = (int32_t)(((int64_t)sure * score + (1 << 23)) >> 24);
        }
        if (score > head->score) {
            count = detc_keep(found, count, head->candidates, score, number + i - head->background);
        }
    }
    return count;
}

uint32_t detc_candidates(const detc_head *head, const int8_t *const outputs[], detc_detection *found)
{
    uint32_t count = 0, before = 0;
    for (const detc_map *map = head->maps; map < head->maps + head->map_count; map++) {
        const uint32_t cells = map->rows * map->columns;
        const int32_t least = map->sure ? least_of(head, map, outputs) : -128;
        for (uint32_t cell = 0; cell < cells; cell++) {
            for (uint32_t box = 0; box < map->boxes; box++) {
                const uint32_t place = head->boxes_first ? box * cells + cell : cell * map->boxes + box;
                const int8_t *classes = numbers_of(outputs, &map->classes, cell, box);
                int32_t sure = 0;
                if (map->sure) {
                    const int32_t confidence = *numbers_of(outputs, &map->confidence, cell, box);
                    if (confidence < least) {
                        continue;
                    }
                    sure = map->sure[confidence + 128];
                }
                count = classes_of(head, map, classes, sure, (before + place) * head->classes, found, count);
            }
        }
        before += cells * map->boxes;
    }
    return count;
}
