# A plugin for lra with the task my_task. Build it against an installed lra:
#   cmake -B build -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH=PREFIX_OF_LRA && cmake --build build
#   lra --plugin build/libmy_task.so check task my_task
#   lra --plugin build/libmy_task.so data check my_task --baselines
#   lra --plugin build/libmy_task.so train --task my_task --attention linear
cmake_minimum_required(VERSION 3.25)
project(my_task LANGUAGES CXX)

find_package(lra 0.1 REQUIRED)
lra_add_plugin(my_task my_task.cpp)
