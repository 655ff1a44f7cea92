"""TensorFlow Lite files (`.tflite`): flatbuffers of the schema in tensorflow/lite/schema/schema.fbs, read without packages."""
