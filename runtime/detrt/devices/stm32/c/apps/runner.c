/* Reads a picture from input.bin, writes the network's outputs one behind the other to outputs.bin, and what the
   post-processing found to detections.bin. With -DTRACE every layer's output goes to layers.bin, too. */
#include "../network.h"
#if NETWORK_DETECTS
#include "../detector.h"
#endif
#include "files.h"

static int32_t run(void)
{
#ifdef TRACE
    const file layers = file_create("layers.bin");
    int32_t failed = 0;
    network_begin();
    for (uint32_t layer = 0; layer < NETWORK_LAYERS; ++layer) {
        network_run_layer(layer);
        failed |= file_write(layers, network_layers[layer].output, network_layers[layer].bytes);
    }
    return file_close(layers) | failed;
#else
    network_run();
    return 0;
#endif
}

static int32_t write_outputs(void)
{
    const file to = file_create("outputs.bin");
    int32_t failed = 0;
    for (uint32_t output = 0; output < NETWORK_OUTPUTS; ++output) {
        failed |= file_write(to, network_outputs[output].data, network_outputs[output].bytes);
    }
    return file_close(to) | failed;
}

static int32_t write_detections(void)
{
#if NETWORK_DETECTS
    const detc_detection *found;
    const uint32_t count = detector_find(&found);
    const file to = file_create("detections.bin");
    const int32_t failed = file_write(to, found, (uint32_t)(count * sizeof *found));
    return file_close(to) | failed;
#else
    return 0;
#endif
}

int main(void)
{
    if (file_read("input.bin", network_input(), NETWORK_INPUT_BYTES) != 0) {
        print("input.bin cannot be read\n");
        return 1;
    }
    if ((run() | write_outputs() | write_detections()) != 0) {
        print("a result cannot be written\n");
        return 1;
    }
    return 0;
}
