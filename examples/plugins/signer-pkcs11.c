/*
 * A signer whose Ed25519 keys stay in a PKCS#11 token: a smart card, a hardware security module, SoftHSM2.
 *
 *     gcc -std=gnu11 -O2 -Wall -Wextra -Werror -shared -fPIC -I include $(pkg-config --cflags p11-kit-1) \
 *       -o signer-pkcs11.so examples/plugins/signer-pkcs11.c
 *
 * Debian: libp11-kit-dev for the header pkcs11.h; no library is linked. make-pkcs11-keys.sh makes a token to try it
 * with.
 *
 *     [settings.pkcs11]
 *     module = "/usr/lib/softhsm/libsofthsm2.so"   the token's PKCS#11 library; a bare name is searched for
 *     token = "synchronicity"                      the token's label
 *     pin-file = "/etc/synchronicity/pin"          first line: the user PIN; mode 0600, own or root's
 *     prefix = "sync-"                             optional: how the keys' labels begin
 *
 * The token has five key pairs of type CKK_EC_EDWARDS with the labels sync-log, sync-cosigner, sync-builder,
 * sync-consensus, sync-transport: a private key that signs with CKM_EDDSA, and its public key with CKA_EC_POINT.
 * Keys with CKA_ALWAYS_AUTHENTICATE, which want the PIN for each signature, do not serve.
 *
 * What PKCS#11 keeps for each process, not for each user of it: whether the library is initialised, and whether one is
 * logged in at a token. So instances share a library (struct library), and none logs out: the login ends with the last
 * session. SoftHSM2 reads its configuration from SOFTHSM2_CONF in the environment of the process, that is, the node's;
 * its version 2.6.1 loses 37 bytes of memory with each signature.
 *
 * Sources: PKCS#11 3.0, current mechanisms, section 2.3 (EDDSA, CKA_EC_POINT); RFC 8032.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

#include <sync/plugin.h>

/* Sessions that one instance has open at most; further calls wait. Tokens have few. */
#define SESSIONS_MAX 8
/* How long a call waits for a session: as long as the node waits for the call. */
#define SESSION_WAIT_SECONDS 10
#define PIN_BYTES_MAX 255
#define PREFIX_BYTES_MAX 128
#define PUBLIC_KEY_BYTES 32
#define SIGNATURE_BYTES 64
#define ROLES 5

/* By their SYNC_KEY_ numbers. */
static const char *const role_names[ROLES] = {"log", "cosigner", "builder", "consensus", "transport"};

static const sync_host *host;

/* Why a call fails: a SYNC_PLUGIN_ number and a sentence. */
struct failure {
  int32_t code;
  char text[1000];
};

/* Always 0, for "return refuse(...)". */
__attribute__((format(printf, 3, 4))) static int refuse(
  struct failure *failure, int32_t code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  failure->code = code;
  vsnprintf(failure->text, sizeof failure->text, format, arguments);
  va_end(arguments);
  return 0;
}

/* What the token answered, with the name where an operator can do something about it. */
static int refuse_answer(struct failure *failure, const char *function, const char *token, CK_RV answer) {
  static const struct {
    CK_RV answer;
    const char *meaning;
  } known[] = {
    {CKR_DEVICE_REMOVED, "CKR_DEVICE_REMOVED: the token was taken out"},
    {CKR_TOKEN_NOT_PRESENT, "CKR_TOKEN_NOT_PRESENT: the token was taken out"},
    {CKR_PIN_INCORRECT, "CKR_PIN_INCORRECT: the PIN file has another PIN than the token"},
    {CKR_PIN_LEN_RANGE, "CKR_PIN_LEN_RANGE: the PIN file has a PIN that is too short or too long"},
    {CKR_PIN_LOCKED, "CKR_PIN_LOCKED: too many wrong PINs; the security officer unlocks it"},
    {CKR_USER_PIN_NOT_INITIALIZED, "CKR_USER_PIN_NOT_INITIALIZED: the token has no user PIN yet"},
    {CKR_SESSION_COUNT, "CKR_SESSION_COUNT: the token has no session left"},
    {CKR_MECHANISM_INVALID, "CKR_MECHANISM_INVALID: the token cannot sign with CKM_EDDSA"},
    {CKR_KEY_FUNCTION_NOT_PERMITTED, "CKR_KEY_FUNCTION_NOT_PERMITTED: the key has no CKA_SIGN"},
    {CKR_CANT_LOCK, "CKR_CANT_LOCK: the library does not serve several threads"},
  };
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (known[i].answer != answer) continue;
    return refuse(failure, SYNC_PLUGIN_UNAVAILABLE, "%s at the token '%s' gave %s", function, token, known[i].meaning);
  }
  return refuse(failure, SYNC_PLUGIN_IO, "%s at the token '%s' gave the number 0x%lx", function, token, answer);
}

/* ---- Libraries: each is initialised once, for all instances that use it ---- */

struct library {
  struct library *next;
  void *loaded;
  CK_FUNCTION_LIST *functions;
  size_t instances;
  pthread_mutex_t opening; /* held while a session is opened */
  int is_initialised_here; /* by us, not by another part of the process, whose it stays then */
};

static pthread_mutex_t libraries_lock = PTHREAD_MUTEX_INITIALIZER;
static struct library *libraries; /* under libraries_lock */

static int initialise(struct library *library, const char *path, struct failure *failure) {
  CK_C_GetFunctionList get = (CK_C_GetFunctionList)dlsym(library->loaded, "C_GetFunctionList");
  if (get == NULL || get(&library->functions) != CKR_OK || library->functions == NULL) {
    return refuse(failure, SYNC_PLUGIN_INVALID, "%s is no PKCS#11 library: it gives no function list", path);
  }
  CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK};
  CK_RV answer = library->functions->C_Initialize(&arguments);
  library->is_initialised_here = answer == CKR_OK;
  if (answer != CKR_OK && answer != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
    return refuse(
      failure, SYNC_PLUGIN_UNAVAILABLE,
      "C_Initialize of %s gave the number 0x%lx; is its configuration in the environment, such as SOFTHSM2_CONF?", path,
      answer);
  }
  return 1;
}

/* With libraries_lock held. */
static struct library *add_library(void *loaded, const char *path, struct failure *failure) {
  for (struct library *library = libraries; library != NULL; library = library->next) {
    /* The same object has the same handle, by whatever path. */
    if (library->loaded == loaded) return library;
  }
  struct library *library = calloc(1, sizeof *library);
  if (library == NULL) {
    refuse(failure, SYNC_PLUGIN_UNAVAILABLE, "There is no memory for a PKCS#11 library");
    return NULL;
  }
  library->loaded = loaded;
  pthread_mutex_init(&library->opening, NULL);
  if (!initialise(library, path, failure)) {
    pthread_mutex_destroy(&library->opening);
    free(library);
    return NULL;
  }
  library->next = libraries;
  libraries = library;
  return library;
}

/* NULL with a failure. */
static struct library *open_library(const char *path, struct failure *failure) {
  pthread_mutex_lock(&libraries_lock);
  /* It stays in memory: many do not bear to be unloaded while threads that used them live on. */
  void *loaded = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  struct library *library = loaded == NULL ? NULL : add_library(loaded, path, failure);
  if (loaded == NULL) refuse(failure, SYNC_PLUGIN_UNAVAILABLE, "The PKCS#11 library cannot be loaded: %s", dlerror());
  else if (library == NULL) dlclose(loaded);
  else library->instances++;
  pthread_mutex_unlock(&libraries_lock);
  return library;
}

static void close_library(struct library *library) {
  pthread_mutex_lock(&libraries_lock);
  void *loaded = library->loaded;
  if (--library->instances == 0) {
    if (library->is_initialised_here) library->functions->C_Finalize(NULL);
    struct library **link = &libraries;
    while (*link != library) link = &(*link)->next;
    *link = library->next;
    pthread_mutex_destroy(&library->opening);
    free(library);
  }
  dlclose(loaded); /* each instance has opened it once */
  pthread_mutex_unlock(&libraries_lock);
}

/* ---- Instances ---- */

struct signer {
  struct library *library;
  CK_FUNCTION_LIST *functions; /* the library's */
  int is_pin_refused;          /* under the library's opening */
  char *module, *token, *pin_file, *prefix; /* the settings */

  pthread_mutex_t lock; /* for all that follows; not held while the token signs */
  pthread_cond_t is_returned;
  CK_SESSION_HANDLE idle[SESSIONS_MAX];
  size_t idle_count;
  size_t open_count; /* idle or in use */
  CK_OBJECT_HANDLE private_keys[ROLES]; /* CK_INVALID_HANDLE until one is looked for */
};

static int open_pin_file(const char *path, struct failure *failure) {
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  struct stat info;
  if (file < 0 || fstat(file, &info) != 0) {
    int32_t code = errno == ENOENT ? SYNC_PLUGIN_NOT_FOUND : SYNC_PLUGIN_UNAVAILABLE;
    refuse(failure, code, "The PIN file %s cannot be opened: %s", path, strerror(errno));
  } else if (!S_ISREG(info.st_mode)) {
    refuse(failure, SYNC_PLUGIN_INVALID, "The PIN file %s is not a regular file", path);
  } else if ((info.st_mode & 0177) != 0 || (info.st_uid != geteuid() && info.st_uid != 0)) {
    refuse(
      failure, SYNC_PLUGIN_UNAVAILABLE, "The PIN file %s has mode %04o and the owner %u; 0600 and %u are wanted", path,
      (unsigned)info.st_mode & 07777, (unsigned)info.st_uid, (unsigned)geteuid());
  } else {
    return file;
  }
  if (file >= 0) close(file);
  return -1;
}

/* Reads the first line into pin, which has room for a line feed and a byte more. The caller wipes it. */
static int read_pin(const char *path, char *pin, size_t *size, struct failure *failure) {
  int file = open_pin_file(path, failure);
  if (file < 0) return 0;
  /* A file on a disk gives all that is wanted at once. */
  ssize_t count = read(file, pin, PIN_BYTES_MAX + 2);
  int error = errno;
  close(file);
  if (count < 0) return refuse(failure, SYNC_PLUGIN_IO, "The PIN file %s cannot be read: %s", path, strerror(error));
  const char *end = memchr(pin, '\n', (size_t)count);
  *size = end == NULL ? (size_t)count : (size_t)(end - pin);
  if (*size > 0 && *size <= PIN_BYTES_MAX) return 1;
  return refuse(
    failure, SYNC_PLUGIN_INVALID, "The PIN file %s has no PIN of 1 to %d bytes in its first line", path, PIN_BYTES_MAX);
}

/* Nothing where the process is logged in. A PIN that was refused is not tried again: tokens lock themselves. */
static int log_in(struct signer *signer, CK_SESSION_HANDLE session, struct failure *failure) {
  CK_SESSION_INFO info;
  CK_RV answer = signer->functions->C_GetSessionInfo(session, &info);
  if (answer != CKR_OK) return refuse_answer(failure, "C_GetSessionInfo", signer->token, answer);
  if (info.state == CKS_RO_USER_FUNCTIONS || info.state == CKS_RW_USER_FUNCTIONS) return 1;

  if (signer->is_pin_refused) {
    return refuse(
      failure, SYNC_PLUGIN_UNAVAILABLE,
      "The token '%s' has refused the PIN of %s, and it is not tried again; correct it and restart the node",
      signer->token, signer->pin_file);
  }
  char pin[PIN_BYTES_MAX + 2];
  size_t size = 0;
  int is_read = read_pin(signer->pin_file, pin, &size, failure);
  if (is_read) answer = signer->functions->C_Login(session, CKU_USER, (CK_UTF8CHAR *)pin, size);
  explicit_bzero(pin, sizeof pin);
  if (!is_read) return 0;
  if (answer == CKR_OK || answer == CKR_USER_ALREADY_LOGGED_IN) return 1;
  if (answer == CKR_PIN_INCORRECT) signer->is_pin_refused = 1;
  return refuse_answer(failure, "C_Login", signer->token, answer);
}

/* Labels are padded with blanks to 32 bytes. */
static int has_label(const CK_TOKEN_INFO *info, const char *label) {
  char padded[sizeof info->label + 1];
  int size = snprintf(padded, sizeof padded, "%-*s", (int)sizeof info->label, label);
  return size == sizeof info->label && memcmp(padded, info->label, sizeof info->label) == 0;
}

/* The slot that holds the token. Looked for with each new session: a token may come back in another one. */
static int find_slot(struct signer *signer, CK_SLOT_ID *found, struct failure *failure) {
  CK_SLOT_ID slots[256];
  CK_ULONG count = sizeof slots / sizeof slots[0];
  CK_RV answer = signer->functions->C_GetSlotList(CK_TRUE, slots, &count);
  if (answer != CKR_OK) return refuse_answer(failure, "C_GetSlotList", signer->token, answer);
  size_t matches = 0;
  for (CK_ULONG i = 0; i < count; i++) {
    CK_TOKEN_INFO info; /* not to be had where the slot was emptied meanwhile */
    if (signer->functions->C_GetTokenInfo(slots[i], &info) != CKR_OK || !has_label(&info, signer->token)) continue;
    *found = slots[i];
    matches++;
  }
  if (matches == 1) return 1;
  return refuse(
    failure, SYNC_PLUGIN_UNAVAILABLE, "One token with the label '%s' is wanted; %zu of %lu tokens have it",
    signer->token, matches, count);
}

/* A session in which the user is logged in. One at a time: SoftHSM2's C_GetTokenInfo does not bear company. */
static int open_session(struct signer *signer, CK_SESSION_HANDLE *session, struct failure *failure) {
  CK_SLOT_ID slot;
  CK_RV answer = CKR_OK;
  pthread_mutex_lock(&signer->library->opening);
  int is_open = find_slot(signer, &slot, failure);
  if (is_open) answer = signer->functions->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, session);
  if (answer != CKR_OK) is_open = refuse_answer(failure, "C_OpenSession", signer->token, answer);
  if (is_open && !(is_open = log_in(signer, *session, failure))) signer->functions->C_CloseSession(*session);
  pthread_mutex_unlock(&signer->library->opening);
  return is_open;
}

/* A session for one call alone: an idle one, a new one, or one that another call returns. */
static int take_session(struct signer *signer, CK_SESSION_HANDLE *session, struct failure *failure) {
  struct timespec end;
  clock_gettime(CLOCK_MONOTONIC, &end);
  end.tv_sec += SESSION_WAIT_SECONDS;
  int is_taken = 0;
  pthread_mutex_lock(&signer->lock);
  for (;;) {
    if (signer->idle_count > 0) {
      *session = signer->idle[--signer->idle_count];
      is_taken = 1;
      break;
    }
    if (signer->open_count < SESSIONS_MAX) {
      signer->open_count++;
      pthread_mutex_unlock(&signer->lock);
      is_taken = open_session(signer, session, failure);
      pthread_mutex_lock(&signer->lock);
      if (!is_taken) signer->open_count--;
      if (!is_taken) pthread_cond_signal(&signer->is_returned);
      break;
    }
    if (pthread_cond_clockwait(&signer->is_returned, &signer->lock, CLOCK_MONOTONIC, &end) != 0) {
      refuse(
        failure, SYNC_PLUGIN_IO, "All sessions with the token '%s' were busy for %d seconds", signer->token,
        SESSION_WAIT_SECONDS);
      break;
    }
  }
  pthread_mutex_unlock(&signer->lock);
  return is_taken;
}

/* A session in which something failed is closed: it may be in the middle of an operation. */
static void return_session(struct signer *signer, CK_SESSION_HANDLE session, int is_sound) {
  if (!is_sound) signer->functions->C_CloseSession(session);
  pthread_mutex_lock(&signer->lock);
  if (is_sound) signer->idle[signer->idle_count++] = session;
  else signer->open_count--;
  pthread_cond_signal(&signer->is_returned);
  pthread_mutex_unlock(&signer->lock);
}

/* After the token was away: what was known of it holds no more. */
static void forget_token(struct signer *signer) {
  pthread_mutex_lock(&signer->lock);
  for (size_t i = 0; i < signer->idle_count; i++) signer->functions->C_CloseSession(signer->idle[i]);
  signer->open_count -= signer->idle_count;
  signer->idle_count = 0;
  for (size_t i = 0; i < ROLES; i++) signer->private_keys[i] = CK_INVALID_HANDLE;
  pthread_cond_broadcast(&signer->is_returned);
  pthread_mutex_unlock(&signer->lock);
}

static int is_token_lost(CK_RV answer) {
  return answer == CKR_SESSION_HANDLE_INVALID || answer == CKR_SESSION_CLOSED || answer == CKR_USER_NOT_LOGGED_IN ||
         answer == CKR_KEY_HANDLE_INVALID || answer == CKR_OBJECT_HANDLE_INVALID || answer == CKR_DEVICE_REMOVED ||
         answer == CKR_TOKEN_NOT_PRESENT;
}

/* ---- Keys ---- */

/* What one call does in its session. Its answer is PKCS#11's; where that says nothing, failure has a code. */
struct task {
  struct signer *signer;
  CK_SESSION_HANDLE session;
  const sync_sign_request *request;
  char label[256];
  uint8_t bytes[SIGNATURE_BYTES]; /* what the call is answered with */
  const char *function;           /* that was called last */
  struct failure failure;
};

/* The one object of the class with the task's label. */
static CK_RV find_key(struct task *task, CK_OBJECT_CLASS class, CK_OBJECT_HANDLE *found) {
  CK_FUNCTION_LIST *functions = task->signer->functions;
  CK_KEY_TYPE type = CKK_EC_EDWARDS;
  CK_ATTRIBUTE wanted[] = {
    {CKA_CLASS, &class, sizeof class},
    {CKA_KEY_TYPE, &type, sizeof type},
    {CKA_LABEL, task->label, strlen(task->label)},
  };
  task->function = "C_FindObjects";
  CK_RV answer = functions->C_FindObjectsInit(task->session, wanted, sizeof wanted / sizeof wanted[0]);
  if (answer != CKR_OK) return answer;
  CK_OBJECT_HANDLE objects[2];
  CK_ULONG count = 0;
  answer = functions->C_FindObjects(task->session, objects, 2, &count);
  CK_RV ended = functions->C_FindObjectsFinal(task->session);
  if (answer != CKR_OK) return answer;
  if (ended != CKR_OK) return ended;
  if (count == 1) *found = objects[0];
  else refuse(
    &task->failure, count == 0 ? SYNC_PLUGIN_NOT_FOUND : SYNC_PLUGIN_INVALID,
    "The token '%s' has %s %s Edwards key with the label '%s'; one is wanted", task->signer->token,
    count == 0 ? "no" : "more than one", class == CKO_PRIVATE_KEY ? "private" : "public", task->label);
  return CKR_OK;
}

static CK_RV read_public_key(struct task *task) {
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  CK_RV answer = find_key(task, CKO_PUBLIC_KEY, &key);
  if (answer != CKR_OK || task->failure.code != 0) return answer;
  uint8_t point[256];
  CK_ATTRIBUTE attribute = {CKA_EC_POINT, point, sizeof point};
  task->function = "C_GetAttributeValue";
  answer = task->signer->functions->C_GetAttributeValue(task->session, key, &attribute, 1);
  if (answer != CKR_OK) return answer;
  /* As the standard has it, a DER OCTET STRING; some tokens give the point alone. */
  const uint8_t *start = NULL;
  if (attribute.ulValueLen == PUBLIC_KEY_BYTES) start = point;
  if (attribute.ulValueLen == PUBLIC_KEY_BYTES + 2 && point[0] == 0x04 && point[1] == PUBLIC_KEY_BYTES) {
    start = point + 2;
  }
  if (start == NULL) {
    refuse(
      &task->failure, SYNC_PLUGIN_INVALID,
      "The key '%s' of the token '%s' is not an Ed25519 key: its point has %lu bytes, %d or %d are wanted",
      task->label, task->signer->token, attribute.ulValueLen, PUBLIC_KEY_BYTES, PUBLIC_KEY_BYTES + 2);
    return CKR_OK;
  }
  memcpy(task->bytes, start, PUBLIC_KEY_BYTES);
  return CKR_OK;
}

/* Objects of a token have one handle in all sessions of the process. */
static CK_RV find_private_key(struct task *task, CK_OBJECT_HANDLE *key) {
  struct signer *signer = task->signer;
  pthread_mutex_lock(&signer->lock);
  *key = signer->private_keys[task->request->role];
  pthread_mutex_unlock(&signer->lock);
  if (*key != CK_INVALID_HANDLE) return CKR_OK;
  CK_RV answer = find_key(task, CKO_PRIVATE_KEY, key);
  pthread_mutex_lock(&signer->lock);
  signer->private_keys[task->request->role] = *key;
  pthread_mutex_unlock(&signer->lock);
  return answer;
}

static CK_RV sign_message(struct task *task) {
  CK_FUNCTION_LIST *functions = task->signer->functions;
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  CK_RV answer = find_private_key(task, &key);
  if (answer != CKR_OK || task->failure.code != 0) return answer;
  /* Without a parameter it is Ed25519 itself: no context, no prehash. */
  CK_MECHANISM mechanism = {CKM_EDDSA, NULL, 0};
  task->function = "C_SignInit";
  answer = functions->C_SignInit(task->session, &mechanism, key);
  if (answer != CKR_OK) return answer;
  uint8_t signature[256];
  CK_ULONG size = sizeof signature;
  /* A message of no bytes has a start too: libraries take NULL for a mistake. */
  static uint8_t nothing[1];
  uint8_t *message = task->request->message_size == 0 ? nothing : (uint8_t *)task->request->message;
  task->function = "C_Sign";
  answer = functions->C_Sign(task->session, message, task->request->message_size, signature, &size);
  if (answer != CKR_OK) return answer;
  if (size != SIGNATURE_BYTES) {
    refuse(
      &task->failure, SYNC_PLUGIN_INVALID, "The key '%s' of the token '%s' gave a signature of %lu bytes, not of %d",
      task->label, task->signer->token, size, SIGNATURE_BYTES);
    return CKR_OK;
  }
  memcpy(task->bytes, signature, SIGNATURE_BYTES);
  return CKR_OK;
}

/* Runs the work in a session; once more where the token was away and is back. Signing twice does no harm: the same
 * message has the same signature. */
static int run_task(struct task *task, CK_RV (*work)(struct task *task)) {
  for (int attempt = 0;; attempt++) {
    if (!take_session(task->signer, &task->session, &task->failure)) return 0;
    task->failure.code = 0;
    CK_RV answer = work(task);
    return_session(task->signer, task->session, answer == CKR_OK);
    if (answer == CKR_OK) return task->failure.code == 0;
    if (is_token_lost(answer)) forget_token(task->signer);
    if (is_token_lost(answer) && attempt == 0) continue;
    return refuse_answer(&task->failure, task->function, task->signer->token, answer);
  }
}

static int32_t answer_task(
  void *self, const sync_sign_request *request, sync_call *call, CK_RV (*work)(struct task *task), size_t size) {
  struct signer *signer = self;
  if (request->role < 0 || request->role >= ROLES) {
    host->call_fail(call, SYNC_PLUGIN_NOT_FOUND, "This signer does not know a key role of that number");
    return SYNC_PLUGIN_OK;
  }
  struct task task = {.signer = signer, .request = request};
  snprintf(task.label, sizeof task.label, "%s%s", signer->prefix, role_names[request->role]);
  if (run_task(&task, work)) host->call_finish_bytes(call, task.bytes, size);
  else host->call_fail(call, task.failure.code, task.failure.text);
  return SYNC_PLUGIN_OK;
}

static int32_t public_key(void *self, const sync_sign_request *request, sync_call *call) {
  return answer_task(self, request, call, read_public_key, PUBLIC_KEY_BYTES);
}

static int32_t sign(void *self, const sync_sign_request *request, sync_call *call) {
  return answer_task(self, request, call, sign_message, SIGNATURE_BYTES);
}

/* ---- Creating ---- */

static void destroy(void *self) {
  struct signer *signer = self;
  if (signer == NULL) return;
  if (signer->library != NULL) {
    forget_token(signer);
    close_library(signer->library);
  }
  pthread_cond_destroy(&signer->is_returned);
  pthread_mutex_destroy(&signer->lock);
  free(signer->module);
  free(signer->token);
  free(signer->pin_file);
  free(signer->prefix);
  free(signer);
}

/* Copies the settings. */
static int read_settings(struct signer *signer, const sync_create_request *request, struct failure *failure) {
  enum { MODULE, TOKEN, PIN_FILE, PREFIX, SETTINGS };
  static const char *const names[SETTINGS] = {"module", "token", "pin-file", "prefix"};
  const char *values[SETTINGS] = {[PREFIX] = "sync-"};
  for (size_t i = 0; i < request->settings_count; i++) {
    size_t known = 0;
    while (known < SETTINGS && strcmp(names[known], request->settings[i].name) != 0) known++;
    if (known == SETTINGS) {
      return refuse(
        failure, SYNC_PLUGIN_INVALID, "The setting '%s' is not known; module, token, pin-file and prefix are",
        request->settings[i].name);
    }
    values[known] = request->settings[i].value;
  }
  for (size_t i = 0; i < SETTINGS; i++) {
    if (values[i] == NULL) return refuse(failure, SYNC_PLUGIN_INVALID, "The setting '%s' is missing", names[i]);
  }
  if ((strchr(values[MODULE], '/') != NULL && *values[MODULE] != '/') || *values[PIN_FILE] != '/') {
    return refuse(failure, SYNC_PLUGIN_INVALID, "The paths in the settings module and pin-file begin with '/'");
  }
  if (strlen(values[PREFIX]) > PREFIX_BYTES_MAX) {
    return refuse(failure, SYNC_PLUGIN_INVALID, "The setting prefix is over %d bytes long", PREFIX_BYTES_MAX);
  }
  signer->module = strdup(values[MODULE]);
  signer->token = strdup(values[TOKEN]);
  signer->pin_file = strdup(values[PIN_FILE]);
  signer->prefix = strdup(values[PREFIX]);
  if (signer->module && signer->token && signer->pin_file && signer->prefix) return 1;
  return refuse(failure, SYNC_PLUGIN_UNAVAILABLE, "There is no memory for the settings");
}

/* Ready to sign; the first session shows whether the token is there and the PIN is right. */
static int set_up(struct signer *signer, const sync_create_request *request, struct failure *failure) {
  CK_SESSION_HANDLE session;
  if (!read_settings(signer, request, failure)) return 0;
  int file = open_pin_file(signer->pin_file, failure); /* its rules hold where another instance is logged in too */
  if (file < 0) return 0;
  close(file);
  signer->library = open_library(signer->module, failure);
  if (signer->library == NULL) return 0;
  signer->functions = signer->library->functions;
  if (!take_session(signer, &session, failure)) return 0;
  return_session(signer, session, 1);
  return 1;
}

static int32_t create(void *user_data, const sync_create_request *request, sync_call *call) {
  (void)user_data;
  struct failure failure = {0};
  struct signer *signer = calloc(1, sizeof *signer);
  if (signer == NULL) return SYNC_PLUGIN_UNAVAILABLE;
  pthread_mutex_init(&signer->lock, NULL);
  pthread_cond_init(&signer->is_returned, NULL);
  int is_ready = set_up(signer, request, &failure);
  /* One that comes too late is not known to the node, which will never end it. */
  if (!is_ready || host->call_finish_instance(call, signer) != SYNC_OK) destroy(signer);
  if (!is_ready) host->call_fail(call, failure.code, failure.text);
  return SYNC_PLUGIN_OK;
}

static const sync_signer_methods methods = {
  .struct_size = sizeof(sync_signer_methods),
  .abi_version = SYNC_ABI_VERSION,
  .public_key = public_key,
  .sign = sign,
};

static const sync_plugin plugin = {
  .struct_size = sizeof(sync_plugin),
  .abi_version = SYNC_ABI_VERSION,
  .name = "pkcs11",
  .version = "1.0.0",
  .create = create,
  .destroy = destroy,
  .signer = &methods,
};

__attribute__((visibility("default"))) const sync_plugin *sync_plugin_entry(const sync_host *given) {
  if (given->abi_version != SYNC_ABI_VERSION || given->struct_size < sizeof(sync_host)) return NULL;
  host = given;
  return &plugin;
}
