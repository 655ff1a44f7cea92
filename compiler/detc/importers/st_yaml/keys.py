"""Every key of a zoo configuration: what it becomes in a spec, or why it has no place in one.

Keys as in STMicroelectronics/stm32ai-modelzoo@645aae15 (config_file_examples, config_file_examples_pt) and
stm32ai-modelzoo-services@46924c0a (src/utils/parse_config.py).
"""

from __future__ import annotations

from detc.importers.st_yaml import handlers as take
from detc.importers.st_yaml.augmentation import AUGMENTATION
from detc.importers.st_yaml.draft import epochs, switch, text, whole
from detc.importers.st_yaml.handlers import Handler

_BOARD = "hardware is a target: `detc check SPEC --target ..`, or a `deploy` block"
_STM32 = "int8 files for STM32 come from a deploy block on an STM32 target"
_COMMAND = "belongs to the command line or the machine, not to the spec"
_OPTIMIZER = {
    f"training.optimizer.{theirs}{key}": handler
    for theirs, ours in (("SGD", "sgd"), ("Adam", "adam"), ("AdamW", "adamw"))
    for key, handler in {
        "": take.optimizer_name(ours),
        ".learning_rate": take.learning_rate(ours),
        ".weight_decay": take.optimizer("weight_decay", take.positive),
        ".warmup_lr": take.schedule("warmup_from", take.positive),
        ".min_lr_ratio": take.schedule("floor", take.share),
    }.items()
}
_SGD = {
    "training.optimizer.SGD.momentum": take.optimizer("momentum", take.share),
    "training.optimizer.SGD.nesterov": take.optimizer("nesterov", lambda value: "true" if switch(value) else "false"),
}

KEYS: dict[str, Handler] = {
    "operation_mode": take.leave(
        "services are options of the command: `detc build --train --quantize --evaluate --benchmark`"
    ),
    "general.project_name": take.leave("runs are named with `detc train --name`"),
    "general.model_type": take.leave("read as model.model_type"),
    "general.model_path": take.leave(
        "weights are named in a stage, `pretrained = path(..)`; other models by `detc import FILE`"
    ),
    "general.saved_models_dir": take.leave("a build has its own folders; `--build DIR` moves it"),
    "general.logs_dir": take.leave("a build has its own folders; `--build DIR` moves it"),
    "general.display_figures": take.leave("figures are files: the run's page and `detc eval --report DIR`"),
    "general.gpu_memory_limit": take.leave(_COMMAND),
    "general.num_threads_tflite": take.leave(_COMMAND),
    "general.logger": take.unless_empty(take.logger),
    "general.global_seed": take.stage("seed", whole),
    "general.deterministic_ops": take.unless_empty(take.deterministic),
    "model.framework": take.leave("every spec trains in torch"),
    "model.model_type": take.leave("chose the library spec, together with model_name"),
    "model.model_name": take.model_name,
    "model.model_path": take.leave(
        "weights are named in a stage, `pretrained = path(..)`; other models by `detc import FILE`"
    ),
    "model.pretrained": take.unless_empty(take.pretrained),
    "model.pretrained_dataset": take.stage("pretrained_dataset", text),
    "model.pretrained_input_shape": take.stage("pretrained_input_shape", take.sides),
    "model.input_shape": take.unless_empty(take.input_shape),
    "model.num_classes": take.unless_empty(take.take_classes),
    "model.width_mult": take.unless_empty(take.width),
    "model.alpha": take.unless_empty(take.width),
    "model.width_mul": take.unless_empty(take.width),
    "model.depth_mul": take.unless_empty(take.depth),
    "dataset.format": take.unless_empty(take.take_format),
    "dataset.dataset_name": take.unless_empty(take.dataset_name),
    "dataset.name": take.unless_empty(take.dataset_name),
    "dataset.class_names": take.unless_empty(take.class_names),
    "dataset.classes_file_path": take.data("classes_file", text),
    "dataset.training_path": take.split("train", "path"),
    "dataset.validation_path": take.split("val", "path"),
    "dataset.test_path": take.split("test", "path"),
    "dataset.train_images_path": take.split("train", "images"),
    "dataset.train_annotations_path": take.split("train", "annotations"),
    "dataset.train_split": take.split("train", "list"),
    "dataset.val_images_path": take.split("val", "images"),
    "dataset.val_annotations_path": take.split("val", "annotations"),
    "dataset.val_split": take.split("val", "list"),
    "dataset.test_images_path": take.split("test", "images"),
    "dataset.test_annotations_path": take.split("test", "annotations"),
    "dataset.test_split": take.split("test", "list"),
    "dataset.validation_split": take.data("validation_split", take.share),
    "dataset.seed": take.data("seed", whole),
    "dataset.num_workers": take.leave("`detc train --workers N`"),
    "dataset.quantization_path": take.leave(_STM32),
    "dataset.quantization_split": take.data("quantization_split", take.share),
    "dataset.data_dir": take.leave("where .tfs files would be written; detc reads the labels themselves"),
    "dataset.data_download": take.leave("`detc data help coco` says where to get a set"),
    "dataset.download_data": take.leave("`detc data help coco` says where to get a set"),
    "dataset.exclude_unlabeled": take.leave("pictures without objects stay: they teach what is background"),
    "dataset.max_detections": take.leave("labels are not limited"),
    "training.model": take.leave("read as model"),
    "training.trainer_name": take.leave("the trainer follows from the head"),
    "training.batch_size": take.stage("batch", lambda value: whole(value, 1)),
    "training.epochs": take.stage("epochs", lambda value: whole(value, 1)),
    "training.validation_epochs": take.stage("validate_every", lambda value: epochs(value, 1)),
    "training.eval_interval": take.stage("validate_every", lambda value: epochs(value, 1)),
    "training.print_interval": take.leave("`detc train --print-every N`"),
    "training.warmup_epochs": take.schedule("warmup", epochs),
    "training.scheduler": take.unless_empty(take.scheduler),
    "training.t_max": take.schedule("t_max", lambda value: epochs(value, 1)),
    "training.gamma": take.leave("the factor of step schedules; taken with them only"),
    "training.milestones": take.unless_empty(take.milestones),
    "training.no_aug_epochs": take.stage("no_aug_epochs", epochs),
    "training.start_epoch": take.stage("start_epoch", whole),
    "training.ema": take.unless_empty(take.ema),
    "training.fp16": take.unless_empty(take.fp16),
    "training.save_history_ckpt": take.unless_empty(take.history),
    "training.base_net_lr": take.part_rate(0),
    "training.extra_layers_lr": take.part_rate(1),
    "training.dropout": take.leave("dropout is a layer of the net: put `|> dropout(0.2)` into the spec"),
    "training.frozen_layers": take.leave("layers have other names here: `freeze = PART` in the stage"),
    "training.trained_model_path": take.leave("the best and last checkpoints lie in runs/"),
    "training.resume_training_from": take.unless_empty(take.resume),
    "training.callbacks.EarlyStopping.patience": take.unless_empty(take.early_stop),
    "training.callbacks.EarlyStopping.monitor": take.leave(
        "`choose` says what makes a checkpoint the best; map50 unless given"
    ),
    "training.callbacks.EarlyStopping.restore_best_weights": take.leave("the best checkpoint is always kept"),
    "training.callbacks.EarlyStopping.verbose": take.leave("progress is always shown"),
    "training.callbacks.EarlyStopping.mode": take.leave("follows from `choose`"),
    "training.callbacks.ModelCheckpoint.monitor": take.leave("the best checkpoint is always kept"),
    "training.callbacks.ReduceLROnPlateau.monitor": take.leave(
        "no schedule here depends on a figure: use cosine or multistep"
    ),
    "training.callbacks.ReduceLROnPlateau.patience": take.leave(
        "no schedule here depends on a figure: use cosine or multistep"
    ),
    "training.callbacks.ReduceLROnPlateau.factor": take.leave(
        "no schedule here depends on a figure: use cosine or multistep"
    ),
    "training.callbacks.LRWarmupCosineDecay.warmup_steps": take.schedule("warmup", epochs),
    "training.callbacks.LRWarmupCosineDecay.initial_lr": take.schedule("warmup_from", take.positive),
    "preprocessing.rescaling.scale": take.unless_empty(take.scale),
    "preprocessing.rescaling.offset": take.unless_empty(take.offset),
    "preprocessing.mean": take.mean_std("mean"),
    "preprocessing.std": take.mean_std("std"),
    "preprocessing.resizing.aspect_ratio": take.unless_empty(take.aspect_ratio),
    "preprocessing.resizing.interpolation": take.unless_empty(take.interpolation),
    "preprocessing.color_mode": take.unless_empty(take.colour),
    "postprocessing.confidence_thresh": take.head("score", take.share),
    "postprocessing.NMS_thresh": take.head("nms", take.share),
    "postprocessing.IoU_eval_thresh": take.unless_empty(take.eval_iou),
    "postprocessing.max_detection_boxes": take.head("max_detections", lambda value: whole(value, 1)),
    "postprocessing.yolo_anchors": take.leave("change `anchors` in the head, or let `detc data anchors` find them"),
    "postprocessing.plot_metrics": take.leave("`detc eval --report DIR` draws the curves"),
    "postprocessing.crop_stretch_percents": take.leave("belongs to the camera application"),
    "benchmarking.board": take.leave(_BOARD),
    "deployment.hardware_setup.board": take.leave(_BOARD),
    "mlflow.uri": take.leave("`detc train --track mlflow`, and MLFLOW_TRACKING_URI"),
    "hydra.run.dir": take.leave("runs lie in runs/ of the build"),
    **_OPTIMIZER,
    **_SGD,
    **AUGMENTATION,
}
"""By dotted path."""

SECTIONS: dict[str, str] = {
    "quantization": _STM32,
    "benchmarking": _STM32,
    "tools": _STM32,
    "deployment": _STM32,
    "evaluation": "what `detc eval` is told on its command line",
    "prediction": "what `detc run` is told on its command line",
    "training.callbacks": "there is no such callback; `schedule`, `early_stop` and `save_every` do their work",
    "hydra": "runs lie in runs/ of the build",
    "mlflow": "`detc train --track mlflow`",
}
"""Reasons that hold for everything below a path."""
