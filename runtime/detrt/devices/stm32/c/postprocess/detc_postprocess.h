/* From the int8 outputs of a network to boxes, by whole numbers only: what the simulator computes, bit for bit. */
#ifndef DETC_POSTPROCESS_H
#define DETC_POSTPROCESS_H

#include <stdint.h>

/* A find. The box is in 1/65536 of the network's input, 0 0 its top left corner, and may reach beyond it; a score of 1 is
   2^24; labels count from 0. */
typedef struct {
    int32_t x1, y1, x2, y2;
    int32_t score;
    uint32_t label;
} detc_detection;

/* Where numbers lie: the first of box b of cell c is number first + c * cell + b * box of outputs[output]. */
typedef struct {
    uint32_t first, cell, box;
    uint32_t output;
} detc_field;

/* The boxes of one map; cells count row by row.

   The centre of a box is (x[column], y[row]) plus the offsets of its first two numbers, its half width and half height are the
   sizes of the next two. An offset is (offset[q + 128] * unit) / 2^24, a size (size[q + 128] * unit) / 2^24, halves up.
   Where the head has bins, the distance of a side is a mean of bin numbers weighted by size[largest - q]. */
typedef struct {
    uint32_t rows, columns, boxes;
    detc_field place, classes, confidence;
    const int32_t *x, *y;       /* [columns], [rows] in 1/65536 */
    const int32_t (*units)[4];  /* [boxes]: of x, y, half width, half height, in 1/2^24 */
    const int32_t *offset, *size;
    const int32_t *sure;        /* score of a confidence, by q + 128; null: the head has none */
    const int32_t *chance;      /* score of a class, by q + 128, or its power, by largest - q */
    int32_t least;              /* the least confidence that counts */
} detc_map;

typedef struct {
    const detc_map *maps;
    uint32_t map_count, classes;
    uint32_t bins;              /* 0: boxes by their centres */
    uint8_t softmax;            /* chances are shares of powers */
    uint8_t background;         /* the first class is no find */
    uint8_t best;               /* only the largest class of a box competes */
    uint8_t loudest;            /* boxes of a map's largest confidence always count */
    uint8_t boxes_first;        /* boxes are numbered box by box, then cell by cell */
    uint8_t agnostic;           /* boxes of all classes suppress each other */
    int32_t score;              /* what a score must exceed */
    uint32_t nms;               /* overlap that a box must not exceed, 65536 the whole */
    uint32_t candidates;        /* entries of the buffer: the best ones compete */
    uint32_t detections;        /* finds, at most */
} detc_head;

/* Finds the boxes in the int8 outputs that the head reads; `found` has head->candidates entries. The finds are its first ones,
   best first; gives how many. */
uint32_t detc_detect(const detc_head *head, const int8_t *const outputs[], detc_detection *found);

/* Names the `top` classes of the greatest of `classes` numbers, best first, each a box over the whole input with its share. */
uint32_t detc_classify(const int8_t *numbers, uint32_t classes, const int32_t power[256], uint32_t top,
                       detc_detection *found);

/* The steps of detc_detect. Candidates have score and label = box number * classes + class, and no box yet. */
uint32_t detc_candidates(const detc_head *head, const int8_t *const outputs[], detc_detection *found);
void detc_box(const detc_head *head, const int8_t *const outputs[], detc_detection *candidate);
uint32_t detc_suppress(const detc_head *head, detc_detection *found, uint32_t count);

/* The `count` best of what is put in, the worst of them first (a heap); then all of them, best first. */
uint32_t detc_keep(detc_detection *heap, uint32_t count, uint32_t most, int32_t score, uint32_t number);
void detc_sort(detc_detection *heap, uint32_t count);

#endif
