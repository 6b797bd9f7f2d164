package consentgate

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/jwt"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// The keysets of a key directory, one file each, in tink's own JSON form. They are apart because they live differently:
const (
	// pseudonymKeyset turns identifiers into pseudonyms (AES-CMAC with a 256-bit key). It rotates; destroying an old key makes the
	// data of its time anonymous.
	pseudonymKeyset = "pseudonym"
	// eventIDKeyset hashes event ids (AES-CMAC, 256 bits). It never rotates: a new key would let every repeated event count again.
	eventIDKeyset = "event-id"
	// contactKeyset seals what must be read back, contacts and cart references (AES-256-GCM); the warehouse never sees it.
	contactKeyset = "contact"
	// receiptKeyset signs receipts (ECDSA P-256, JWS ES256), so that anyone can check them with the published half.
	receiptKeyset = "receipt"
)

// keysetTemplates gives each keyset's first key.
func keysetTemplates() map[string]*tinkpb.KeyTemplate {
	return map[string]*tinkpb.KeyTemplate{
		pseudonymKeyset: prf.AESCMACPRFKeyTemplate(),
		eventIDKeyset:   prf.AESCMACPRFKeyTemplate(),
		contactKeyset:   aead.AES256GCMKeyTemplate(),
		receiptKeyset:   jwt.ES256Template(),
	}
}

// Keys are the secrets of one installation, ready to use. All methods may be called from any number of goroutines.
type Keys struct {
	dir     string
	created bool

	pseudonyms []prf.PRF // primary first
	eventIDs   prf.PRF
	contacts   tink.AEAD
	signer     jwt.Signer
	verifier   jwt.Verifier
	jwks       []byte

	// inputs holds scratch memory for the keyed function's input (*[]byte): handed to an interface, it would escape each time.
	inputs sync.Pool
}

// OpenKeys opens the keysets in dir, and creates directory and keys where the directory is missing or empty. It refuses a directory or
// key file that others than its owner can read, and a directory in which only some of the keysets are left.
func OpenKeys(dir string) (*Keys, error) {
	created, err := ensureKeyDir(dir)
	if err != nil {
		return nil, err
	}
	handles := make(map[string]*keyset.Handle)
	for name := range keysetTemplates() {
		if handles[name], err = readKeyset(dir, name); err != nil {
			return nil, err
		}
	}
	k := &Keys{dir: dir, created: created}
	if err := k.load(handles); err != nil {
		return nil, fmt.Errorf("loading the keys in %s: %w", dir, err)
	}
	return k, nil
}

// load makes the primitives once; they are reused for the life of the process.
func (k *Keys) load(handles map[string]*keyset.Handle) error {
	var err error
	if k.pseudonyms, err = prfs(handles[pseudonymKeyset]); err != nil {
		return fmt.Errorf("keyset %s: %w", pseudonymKeyset, err)
	}
	ids, err := prfs(handles[eventIDKeyset])
	if err != nil {
		return fmt.Errorf("keyset %s: %w", eventIDKeyset, err)
	}
	k.eventIDs = ids[0]
	if k.contacts, err = aead.New(handles[contactKeyset]); err != nil {
		return fmt.Errorf("keyset %s: %w", contactKeyset, err)
	}
	receipts := handles[receiptKeyset]
	if k.signer, err = jwt.NewSigner(receipts); err != nil {
		return fmt.Errorf("keyset %s: %w", receiptKeyset, err)
	}
	public, err := receipts.Public()
	if err != nil {
		return fmt.Errorf("keyset %s: taking the public half: %w", receiptKeyset, err)
	}
	if k.verifier, err = jwt.NewVerifier(public); err != nil {
		return fmt.Errorf("keyset %s: %w", receiptKeyset, err)
	}
	if k.jwks, err = jwt.JWKSetFromPublicKeysetHandle(public); err != nil {
		return fmt.Errorf("keyset %s: writing the JWK set: %w", receiptKeyset, err)
	}
	return nil
}

// prfs lists the live functions of a keyset, the primary key's first. Each is tried once, so that computing cannot fail later.
func prfs(h *keyset.Handle) ([]prf.PRF, error) {
	set, err := prf.NewPRFSet(h)
	if err != nil {
		return nil, err
	}
	primary, ok := set.PRFs[set.PrimaryID]
	if !ok {
		return nil, fmt.Errorf("no primary key")
	}
	list := []prf.PRF{primary}
	for i := range h.Len() { // in the keyset's order: the map has none
		e, err := h.Entry(i)
		if err != nil {
			return nil, err
		}
		if p, live := set.PRFs[e.KeyID()]; live && e.KeyID() != set.PrimaryID {
			list = append(list, p)
		}
	}
	for _, p := range list {
		if out, err := p.ComputePRF(nil, prfBytes); err != nil || len(out) != prfBytes {
			return nil, fmt.Errorf("a key does not give %d bytes: %w", prfBytes, err)
		}
	}
	return list, nil
}

// Created tells whether this call of OpenKeys made the keys. Where a warehouse or a spool exists already, that means the old key
// directory is lost: nobody in it can be recognised any more.
func (k *Keys) Created() bool { return k.created }

// Dir is the directory the keys were opened in.
func (k *Keys) Dir() string { return k.dir }

// JWKS is the JSON Web Key Set (RFC 7517) with which receipts can be checked offline; each key has its kid.
func (k *Keys) JWKS() []byte { return bytes.Clone(k.jwks) }

// Seal encrypts a value that must be read back later. Shop and field (such as "contact") are bound to the result: it opens nowhere else.
func (k *Keys) Seal(shop, field string, plaintext []byte) ([]byte, error) {
	sealed, err := k.contacts.Encrypt(plaintext, sealContext(shop, field))
	if err != nil {
		return nil, fmt.Errorf("sealing %s: %w", field, err)
	}
	return sealed, nil
}

// Open gives back what Seal was given for the same shop and field.
func (k *Keys) Open(shop, field string, sealed []byte) ([]byte, error) {
	plaintext, err := k.contacts.Decrypt(sealed, sealContext(shop, field))
	if err != nil {
		return nil, fmt.Errorf("opening sealed %s (was it sealed with other keys, for another shop?): %w", field, err)
	}
	return plaintext, nil
}

// sealContext writes (shop, field) so that no two pairs give the same bytes.
func sealContext(shop, field string) []byte {
	return append(appendCounted(nil, shop), field...)
}
