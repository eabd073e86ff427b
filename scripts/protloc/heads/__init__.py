"""Heads on frozen vectors, as the probe reports them and fine-tuning starts from them."""
