"""Fine-tuning: how well a backbone tells localizations once its own weights may change."""
