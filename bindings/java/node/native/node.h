/* What the files of the JNI library for nodes share. */
#ifndef SYNCHRONICITY_NODE_H
#define SYNCHRONICITY_NODE_H

#include <sync/node.h>

#include "bytes.h"
#include "synchronicity_node_Native.h"

#define NATIVE(name) Java_synchronicity_node_Native_##name

/* bridge.c: finds the class that is called from here. Returns false, with an exception pending, where it is not. */
int bridge_load(JavaVM *loaded, JNIEnv *env);

/* bridge.c: the sync_node_options.log of every node that has one. */
void bridge_log(void *user_data, int32_t level, const char *line);

#endif
