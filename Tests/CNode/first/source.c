/* Packages pkg:echo/WORD@1, whose recipe is WORD and whose one artifact is `out`. */
#include <stdio.h>
#include <string.h>
#include <sodium.h>
#include <sys/stat.h>

#include "plugins.h"

#ifndef SOURCE_ENTRY
#define SOURCE_ENTRY source_entry
#endif

static const sync_host *host;

static int32_t create(void *user_data, const sync_create_request *request, sync_call *call) {
  (void)user_data, (void)request;
  host->call_finish_instance(call, NULL);
  return SYNC_PLUGIN_OK;
}

static int32_t resolve(void *self, const sync_resolve_request *request, sync_call *call) {
  (void)self;
  char word[32], rest;
  if (sscanf(request->package, "pkg:echo/%30[a-z]@1%c", word, &rest) != 1 ||
      strlen(request->package) != strlen("pkg:echo/@1") + strlen(word)) {
    host->call_fail(call, SYNC_PLUGIN_NOT_FOUND, "There are packages pkg:echo/WORD@1 alone");
    return SYNC_PLUGIN_OK;
  }
  if (strcmp(word, "nospec") == 0) {
    host->call_finish_bytes(call, "not a spec", 10);
    return SYNC_PLUGIN_OK;
  }
  unsigned char tree[crypto_hash_sha256_BYTES];
  static const char listing[] = "synchronicity-tree/v1\n";
  crypto_hash_sha256(tree, (const unsigned char *)listing, sizeof listing - 1);
  char hex[65], recipe[128], spec[2048];
  sodium_bin2hex(hex, sizeof hex, tree, sizeof tree);
  sodium_bin2base64(
    recipe, sizeof recipe, (const unsigned char *)word, strlen(word), sodium_base64_VARIANT_ORIGINAL);
  /* A package that is not the one that was asked for, which the node refuses. */
  const char *package = strcmp(word, "foreign") == 0 ? "pkg:echo/fine@1" : request->package;
  int size = snprintf(
    spec, sizeof spec,
    "synchronicity-spec/v1\npackage %s\nrebuild %llu\ntoolchain %s\ntarget none\nprofile release\n"
    "source %s %s - %s\nlock -\nwall-seconds 2\ncpu-seconds 2\nmemory-bytes 1048576\nprocesses 8\n"
    "disk-bytes 1048576\ntranscript-bytes 65536\nrecipe %s\nartifact out\n",
    package, (unsigned long long)request->rebuild, request->toolchain, package, hex, package, recipe);
  host->call_finish_bytes(call, spec, (size_t)size);
  return SYNC_PLUGIN_OK;
}

static int32_t fetch(void *self, const sync_fetch_request *request, sync_call *call) {
  (void)self;
  if (strstr(request->origin, "pkg:echo/") != request->origin) return SYNC_PLUGIN_INVALID;
  if (mkdir(request->directory, 0755) != 0) return SYNC_PLUGIN_IO;
  if (strstr(request->purl, "othertree") != NULL) {
    char path[4096];
    snprintf(path, sizeof path, "%s/extra", request->directory);
    FILE *file = fopen(path, "w");
    if (file != NULL) fclose(file);
  }
  host->call_finish(call);
  return SYNC_PLUGIN_OK;
}

const sync_plugin *SOURCE_ENTRY(const sync_host *table) {
  static const sync_source_methods methods = {
    sizeof methods, SYNC_ABI_VERSION, "echo", "echo", resolve, fetch};
  static const sync_plugin plugin = {
    .struct_size = sizeof plugin, .abi_version = SYNC_ABI_VERSION, .name = "test-words", .version = "1",
    .create = create, .source = &methods};
  if (table->abi_version != SYNC_ABI_VERSION) return NULL;
  host = table;
  return &plugin;
}
