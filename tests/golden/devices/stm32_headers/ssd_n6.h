# own output of detc; rewrite with pytest --update-golden
/* net on stm32n6570_dk: int8, 0 layers, 0 MACs a picture.
   Read by ST's example applications. */
#ifndef APP_CONFIG_H
#define APP_CONFIG_H

#define NN_HEIGHT (64)
#define NN_WIDTH (64)
#define NN_BPP (3)

#define COLOR_BGR (0)
#define COLOR_RGB (1)
#define COLOR_MODE COLOR_RGB
#define CAMERA_FLIP CMW_MIRRORFLIP_NONE

#define ASPECT_RATIO_CROP (1)
#define ASPECT_RATIO_FIT (2)
#define ASPECT_RATIO_FULLSCREEN (3)
#define ASPECT_RATIO_MODE ASPECT_RATIO_FIT

#define POSTPROCESS_TYPE POSTPROCESS_OD_ST_SSD_UF

#define WELCOME_MSG_1 "net"
#define WELCOME_MSG_2 "int8, made by detc"

#define NB_CLASSES (3)
#define CLASSES_TABLE const char* classes_table[NB_CLASSES] = {\
  "background",\
  "cell",\
  "cat"}

#define AI_OD_SSD_ST_PP_NB_CLASSES (3)
#define AI_OD_SSD_ST_PP_CONF_THRESHOLD (0.01f)
#define AI_OD_SSD_ST_PP_IOU_THRESHOLD (0.45f)
#define AI_OD_SSD_ST_PP_MAX_BOXES_LIMIT (100)
#define AI_OD_SSD_ST_PP_TOTAL_DETECTIONS (64)

#endif /* APP_CONFIG_H */
