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
/* Empties every map; none is open. */
void storage_forget(void);

/* Transports that lead nowhere: one that says all that it should not, and one whose sends block until cancelled. */
const sync_plugin *liar_entry(const sync_host *host);
const sync_plugin *mute_entry(const sync_host *host);
/* The one of examples/plugins/, over Unix sockets. */
const sync_plugin *unix_entry(const sync_host *host);
/* The link that a transport got last, even when it is over; what it was told wrongly; its sends. */
extern sync_link *last_link;
extern _Atomic int link_faults, sends_begun, sends_cancelled;

/* Set by the program: called in the sandbox's method when the recipe says `reenter`. */
extern void (*sandbox_reenter)(void);
/* Instances that were made and not ended. */
extern int live_instances;

#endif
