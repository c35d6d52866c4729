/* Where threads wait for as long as it is shut. */
#ifndef GATE_H
#define GATE_H

#include <pthread.h>

typedef struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int is_shut;
  int waiting;
} gate;
#define GATE {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0}

static inline void pass(gate *self) {
  pthread_mutex_lock(&self->lock);
  self->waiting++;
  while (self->is_shut) pthread_cond_wait(&self->changed, &self->lock);
  self->waiting--;
  pthread_mutex_unlock(&self->lock);
}

static inline int waiting(gate *self) {
  pthread_mutex_lock(&self->lock);
  int count = self->waiting;
  pthread_mutex_unlock(&self->lock);
  return count;
}

static inline void set(gate *self, int is_shut) {
  pthread_mutex_lock(&self->lock);
  self->is_shut = is_shut;
  pthread_cond_broadcast(&self->changed);
  pthread_mutex_unlock(&self->lock);
}

#endif
