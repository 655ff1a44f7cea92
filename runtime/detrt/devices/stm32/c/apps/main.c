/* Runs the network on the picture in picture.c. A detector prints a line for everything found: class, score in 1/1000, and the
   box's left, top, right and bottom in 1/1000 of the picture. A network alone prints a line for each of its outputs: name, lowest
   and highest number. */
#include "../network.h"
#if NETWORK_DETECTS
#include "../detector.h"
#endif
#include "../picture.h"
#include "files.h"

static void print_number(int64_t value)
{
    char digits[12];
    uint32_t at = sizeof digits;
    uint32_t rest = (uint32_t)(value < 0 ? -value : value);
    digits[--at] = '\0';
    do {
        digits[--at] = (char)('0' + rest % 10u);
        rest /= 10u;
    } while (rest != 0u);
    print(value < 0 ? " -" : " ");
    print(digits + at);
}

/* The picture at the network's size: nearest pixels. */
static void load_picture(void)
{
    uint8_t *to = network_input();
    for (uint32_t y = 0; y < NETWORK_INPUT_HEIGHT; ++y) {
        const uint32_t row = y * picture_height / NETWORK_INPUT_HEIGHT * picture_width;
        for (uint32_t x = 0; x < NETWORK_INPUT_WIDTH; ++x) {
            const uint32_t pixel = row + x * picture_width / NETWORK_INPUT_WIDTH;
            memcpy(to, picture + pixel * NETWORK_INPUT_CHANNELS, NETWORK_INPUT_CHANNELS);
            to += NETWORK_INPUT_CHANNELS;
        }
    }
}

#if NETWORK_DETECTS
static void print_thousandths(int32_t value, int32_t one)
{
    print_number((int64_t)value * 1000 / one);
}

static void find_and_print(void)
{
    const detc_detection *found;
    const uint32_t count = detector_run(&found);
    for (uint32_t i = 0; i < count; ++i) {
        print(detector_classes[found[i].label]);
        print_thousandths(found[i].score, 1 << 24);
        print_thousandths(found[i].x1, 1 << 16);
        print_thousandths(found[i].y1, 1 << 16);
        print_thousandths(found[i].x2, 1 << 16);
        print_thousandths(found[i].y2, 1 << 16);
        print("\n");
    }
    if (count == 0u) {
        print("nothing found\n");
    }
}
#else
static void find_and_print(void)
{
    network_run();
    for (uint32_t output = 0; output < NETWORK_OUTPUTS; ++output) {
        const int8_t *data = network_outputs[output].data;
        int8_t lowest = data[0], highest = data[0];
        for (uint32_t i = 1; i < network_outputs[output].bytes; ++i) {
            lowest = data[i] < lowest ? data[i] : lowest;
            highest = data[i] > highest ? data[i] : highest;
        }
        print(network_outputs[output].name);
        print_number(lowest);
        print_number(highest);
        print("\n");
    }
}
#endif

int main(void)
{
    load_picture();
    find_and_print();
    return 0;
}
