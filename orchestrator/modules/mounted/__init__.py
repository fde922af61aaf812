"""Tools of other programs' servers (Model Context Protocol), as operations of modules of their names."""
