"""The admin API: what release engineers, pipelines and customers ask of the control plane, and who may."""
