"""Networks as the study uses them: weights, channel strategies, what they are shown. Shared by the stages."""
