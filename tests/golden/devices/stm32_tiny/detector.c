# own output of detc; rewrite with pytest --update-golden
/* tiny on stm32h747i_disco: int8, 7 layers, 2,560 MACs a picture. */
#include "detector.h"

const char *const detector_classes[POSTPROCESS_CLASSES] = {
    "cell",
    "cat",
    "dog",
};

uint32_t detector_find(const detc_detection **found)
{
    const int8_t *const outputs[POSTPROCESS_OUTPUTS] = {
        network_outputs[0].data, /* both */
    };
    return postprocess(outputs, found);
}

uint32_t detector_run(const detc_detection **found)
{
    network_run();
    return detector_find(found);
}
