package bootstrap

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
)

// KeySize is that of a certificate key, in bytes.
const KeySize = 32

// DrawCertificateKey draws the key that seals uploaded certificates, in hex as users pass it on.
func DrawCertificateKey() string {
	var key [KeySize]byte
	_, _ = rand.Read(key[:]) // never fails (crypto/rand)
	return hex.EncodeToString(key[:])
}

// ParseCertificateKey reads a key in hex. The error does not repeat it.
func ParseCertificateKey(text string) ([]byte, error) {
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != KeySize {
		return nil, fmt.Errorf("a certificate key is %d bytes in hex: %d digits 0-9, a-f", KeySize, 2*KeySize)
	}
	return key, nil
}

// Seal encrypts with AES-256-GCM: nonce, ciphertext and tag one after the other, as kubeadm has it.
func Seal(key, plain []byte) ([]byte, error) {
	gcm, err := aead(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, gcm.NonceSize())
	_, _ = rand.Read(nonce)
	return gcm.Seal(nonce, nonce, plain, nil), nil
}

// Open decrypts what Seal made.
func Open(key, sealed []byte) ([]byte, error) {
	gcm, err := aead(key)
	if err != nil {
		return nil, err
	}
	if len(sealed) < gcm.NonceSize() {
		return nil, errors.New("too short for something encrypted")
	}
	plain, err := gcm.Open(nil, sealed[:gcm.NonceSize()], sealed[gcm.NonceSize():], nil)
	if err != nil {
		return nil, errors.New("it was encrypted with another certificate key, or is damaged")
	}
	return plain, nil
}

func aead(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
