"""Code that runs on the workstation and installs the box, updates it and sends it models, all over SSH."""
