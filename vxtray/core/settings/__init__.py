"""What can be set, how it is kept on disk, and the model that window and commands change it through."""
