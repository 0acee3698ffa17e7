// consumer.cc - the same program as C++.
#include "consumer.c"
