"""detector.c/.h: the network and its post-processing as one call, and the names of the classes. picture.c: something to try."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from detrt.devices.stm32.c.layers import Network
from detrt.devices.stm32.c.naming import comment, string
from detrt.devices.stm32.c.network import title
from detrt.devices.stm32.c.numbers import rows

Picture = npt.NDArray[np.uint8]
CARD = 48
"""Side of the test card in pixels, at most."""


def detector_h(network: Network) -> str:
    """The text of detector.h."""
    return f"""\
/* {title(network)}

       memcpy(network_input(), picture, NETWORK_INPUT_BYTES);
       count = detector_run(&found);

   found[0] .. found[count - 1] are what is in the picture, best first, until the next call. */
#ifndef DETECTOR_H
#define DETECTOR_H

#include "network.h"
#include "postprocess.h"

uint32_t detector_run(const detc_detection **found);

/* The second half alone, after network_run(). */
uint32_t detector_find(const detc_detection **found);

extern const char *const detector_classes[POSTPROCESS_CLASSES];

#endif
"""


def detector_c(network: Network, reads: Sequence[str], classes: Sequence[str]) -> str:
    """The text of detector.c; `reads` are the tensors that the post-processing reads, in its order."""
    number = {tensor.name: place for place, tensor in enumerate(network.outputs)}
    outputs = "\n".join(f"        network_outputs[{number[name]}].data, /* {comment(name)} */" for name in reads)
    names = "\n".join(f"    {string(name)}," for name in classes)
    return f"""\
/* {title(network)} */
#include "detector.h"

const char *const detector_classes[POSTPROCESS_CLASSES] = {{
{names}
}};

uint32_t detector_find(const detc_detection **found)
{{
    const int8_t *const outputs[POSTPROCESS_OUTPUTS] = {{
{outputs}
    }};
    return postprocess(outputs, found);
}}

uint32_t detector_run(const detc_detection **found)
{{
    network_run();
    return detector_find(found);
}}
"""


def picture_h() -> str:
    """The text of picture.h."""
    return """\
/* A picture to try the network on. */
#ifndef PICTURE_H
#define PICTURE_H

#include <stdint.h>

extern const uint32_t picture_height, picture_width;
extern const uint8_t picture[]; /* [height, width, NETWORK_INPUT_CHANNELS] */

#endif
"""


def picture_c(picture: Picture) -> str:
    """The text of picture.c: u8 [height, width, channels]."""
    height, width, channels = picture.shape
    return f"""\
/* u8 [{height}, {width}, {channels}] */
#include "picture.h"

const uint32_t picture_height = {height}, picture_width = {width};

const uint8_t picture[] = {{
{rows(picture)}
}};
"""


def test_card(shape: tuple[int, ...]) -> Picture:
    """A drawn picture u8 of the proportions of `shape` [height, width, channels]: a ramp with two discs and a bar on it."""
    height, width, channels = shape
    scale = max(1, -(-max(height, width) // CARD))
    y, x = np.mgrid[: max(1, height // scale), : max(1, width // scale)]
    v, u = y / len(y), x / x.shape[1]
    ramp = 40 + 120 * u
    card = np.stack([ramp + 30 * channel * v for channel in range(channels)], axis=-1)
    for cx, cy, radius, colour in ((0.3, 0.35, 0.16, 230), (0.68, 0.6, 0.2, 20)):
        inside = (u - cx) ** 2 + (v - cy) ** 2 < radius**2
        card[inside] = [(colour + 90 * channel) % 256 for channel in range(channels)]
    card[(v > 0.85) & (u > 0.1) & (u < 0.9)] = 255
    return np.asarray(np.clip(card, 0, 255), np.uint8)
