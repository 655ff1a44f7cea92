/* Steps that take turns row by row. */
#include "detc_stream.h"

#include <string.h>

/* How far a stream has come: rows made of every map, and the first row of every window. */
typedef struct {
    const detc_stream *stream;
    int32_t made[DETC_STREAM_MOST], first[DETC_STREAM_MOST];
} progress;

/* Where the window of row `row` begins; above the map where that is negative. */
static int32_t begin(const detc_stream_step *step, int32_t row)
{
    return row / step->grain * step->stride - step->top;
}

static int32_t first_row(const detc_stream_step *step, int32_t row)
{
    const int32_t at = begin(step, row);
    return at > 0 ? at : 0;
}

/* Behind the last row of an input of `height` rows that the first `rows` rows stand on. */
static int32_t end_row(const detc_stream_step *step, int32_t rows, int32_t height)
{
    const int32_t end = rows > 0 ? begin(step, rows - 1) + step->extent : 0;
    return end < height ? end : height;
}

/* Behind the rows of a step that come next. */
static int32_t next_end(const progress *p, int32_t number)
{
    const int32_t end = p->made[number] + p->stream->step[number].grain, height = p->stream->maps[number].height;
    return end < height ? end : height;
}

/* The step that comes next: the last one if all rows that its next row stands on are there, else one that lacks some. */
static int32_t next_step(const progress *p)
{
    const detc_stream *const s = p->stream;
    int32_t number = s->steps - 1, i = 0;
    while (i < s->step[number].inputs) {
        const int32_t map = s->step[number].reads[i++];
        if (map < number && p->made[map] < end_row(&s->step[number], next_end(p, number), s->maps[map].height)) {
            number = map;
            i = 0;
        }
    }
    return number;
}

/* Drops the rows of a window that no step reads any more. */
static void slide(progress *p, int32_t map)
{
    const detc_stream *const s = p->stream;
    const detc_rows *const rows = &s->maps[map];
    int32_t keep = p->made[map];
    for (int32_t reader = map + 1; reader < s->steps; reader++) {
        for (int32_t i = 0; i < s->step[reader].inputs; i++) {
            const int32_t read = first_row(&s->step[reader], p->made[reader]);
            if (s->step[reader].reads[i] == map && read < keep) {
                keep = read;
            }
        }
    }
    if (keep > p->first[map]) {
        memmove(rows->at, rows->at + (keep - p->first[map]) * rows->row, (size_t)((p->made[map] - keep) * rows->row));
        p->first[map] = keep;
    }
}

static void compute(progress *p, int32_t number)
{
    const detc_stream *const s = p->stream;
    const detc_stream_step *const step = &s->step[number];
    const int32_t from = p->made[number], to = next_end(p, number), start = first_row(step, from), above = begin(step, from);
    const int32_t first = number < s->steps - 1 ? p->first[number] : 0;
    detc_band band;
    band.rows = to - from;
    band.top = above < 0 ? -above : 0;
    band.height = 0;
    band.output = s->maps[number].at + (from - first) * s->maps[number].row;
    for (int32_t i = 0; i < step->inputs; i++) {
        const int32_t map = step->reads[i];
        const int32_t end = end_row(step, to, s->maps[map].height);
        band.inputs[i] = s->maps[map].at + (start - (map < number ? p->first[map] : 0)) * s->maps[map].row;
        band.height = end > start ? end - start : 0;
    }
    step->run(&band);
    p->made[number] = to;
}

void detc_run_stream(const detc_stream *stream)
{
    const int32_t last = stream->steps - 1;
    progress p;
    memset(&p, 0, sizeof p);
    p.stream = stream;
    while (p.made[last] < stream->maps[last].height) {
        const int32_t number = next_step(&p);
        if (number < last) {
            slide(&p, number);
        }
        compute(&p, number);
    }
}
