/* Small plugins for tests, compiled into the program or as shared objects (-DKIND_ENTRY=sync_plugin_entry). */
#ifndef TEST_PLUGINS_H
#define TEST_PLUGINS_H

#include <sync/plugin.h>

/* Keys made from the node's name and the role: for tests alone. */
const sync_plugin *signer_entry(const sync_host *host);
/* Follows the recipe's words, and isolates nothing; `hostile` in its settings makes it do what the recipe says ill. */
const sync_plugin *sandbox_entry(const sync_host *host);
/* Packages pkg:echo/WORD@1, whose recipe is WORD. */
const sync_plugin *source_entry(const sync_host *host);
/* A map in memory, lost with the process. */
const sync_plugin *storage_entry(const sync_host *host);

/* Set by the program: called in the sandbox's method when the recipe says `reenter`. */
extern void (*sandbox_reenter)(void);
/* Instances that were made and not ended. */
extern int live_instances;

#endif
