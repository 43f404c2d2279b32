# Installation: library targets, headers and a package config for find_package(lra).
