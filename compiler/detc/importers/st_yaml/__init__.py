"""Training configurations of the ST model zoo (`user_config.yaml`) as specs."""
