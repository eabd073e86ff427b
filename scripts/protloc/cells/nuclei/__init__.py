"""Where the nuclei of a field are: one method per file, all with the same signature."""
