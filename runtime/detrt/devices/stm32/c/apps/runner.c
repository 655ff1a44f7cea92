/* Reads a picture from input.bin, writes the network's outputs one behind the other to outputs.bin, and what the
   post-processing found to detections.bin. With -DTRACE every layer's output goes to layers.bin first. */
#include "../detector.h"
#include "files.h"

int main(void)
{
    int32_t failed = file_read("input.bin", network_input(), NETWORK_INPUT_BYTES);
#ifdef TRACE
    network_begin();
    for (uint32_t layer = 0; layer < NETWORK_LAYERS; ++layer) {
        network_run_layer(layer);
        failed |= file_append("layers.bin", network_layers[layer].output, network_layers[layer].bytes);
    }
#else
    network_run();
#endif
    for (uint32_t output = 0; output < NETWORK_OUTPUTS; ++output) {
        failed |= file_append("outputs.bin", network_outputs[output].data, network_outputs[output].bytes);
    }
    const detc_detection *found;
    const uint32_t count = detector_find(&found);
    failed |= file_append("detections.bin", found, (uint32_t)(count * sizeof *found));
    if (failed != 0) {
        print("input.bin cannot be read, or a result cannot be written\n");
    }
    return failed != 0;
}
