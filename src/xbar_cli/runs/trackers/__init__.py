"""Trainings and evaluations told to trackers of experiments: TensorBoard, MLflow, Weights & Biases."""
