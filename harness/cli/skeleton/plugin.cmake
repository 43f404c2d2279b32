# A plugin for lra with the attention variant my_variant. Build it against an installed lra:
#   cmake -B build -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH=PREFIX_OF_LRA && cmake --build build
#   lra --plugin build/libmy_variant.so check gradients my_variant
#   lra --plugin build/libmy_variant.so check variant my_variant
#   lra --plugin build/libmy_variant.so train --task listops --attention my_variant
cmake_minimum_required(VERSION 3.25)
project(my_variant LANGUAGES CXX)

find_package(lra 0.1 REQUIRED)
lra_add_plugin(my_variant my_variant.cpp)
