"""Parts of xenflow-lab: see each module; utilities/xenflow-lab is the
command."""
