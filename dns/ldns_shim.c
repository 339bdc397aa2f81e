/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ldns wants of OpenSSL 3 and BoringSSL lacks.  The first two are other names of one function; the last two serve
 * keys that live in hardware, which nothing here has, so they say no.  Weak: a BoringSSL that has them wins.
 */
#include <openssl/evp.h>
#include <stddef.h>

#define OPTIONAL __attribute__((weak))

int   EVP_PKEY_get_id(const EVP_PKEY *key);
int   EVP_PKEY_get_base_id(const EVP_PKEY *key);
void *UI_OpenSSL(void);
void *ENGINE_load_private_key(void *engine, const char *id, void *method, void *data);

OPTIONAL int
EVP_PKEY_get_id(const EVP_PKEY *key)
{
	return EVP_PKEY_id(key);
}

OPTIONAL int
EVP_PKEY_get_base_id(const EVP_PKEY *key)
{
	return EVP_PKEY_id(key);
}

OPTIONAL void *
UI_OpenSSL(void)
{
	return NULL;
}

OPTIONAL void *
ENGINE_load_private_key(void *engine, const char *id, void *method, void *data)
{
	(void)engine;
	(void)id;
	(void)method;
	(void)data;
	return NULL;
}
