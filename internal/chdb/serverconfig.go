package chdb

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// serverConfig holds the engine's server-level settings. ClickHouse's defaults
// are made for a server with its machine to itself: caches of 5 GiB each and
// 90% of the memory. These are for a process that shares 2–4 cores with a shop.
// Naming a file of our own also keeps the engine from reading a config.xml that
// happens to lie in the working directory.
const serverConfig = `<clickhouse>
    <!-- Written by kassa at each start: changes are lost. -->
    <!-- On a terminal alone the engine would log to it, such as a Fatal line for each thread of Go's that ends: it is no thread of its own. -->
    <logger><level>none</level><console>false</console></logger>
    <max_server_memory_usage_to_ram_ratio>0.5</max_server_memory_usage_to_ram_ratio>
    <max_thread_pool_free_size>8</max_thread_pool_free_size>
    <max_io_thread_pool_free_size>0</max_io_thread_pool_free_size>
    <mark_cache_size>67108864</mark_cache_size>
    <primary_index_cache_size>67108864</primary_index_cache_size>
    <index_mark_cache_size>16777216</index_mark_cache_size>
    <query_condition_cache_size>16777216</query_condition_cache_size>
    <compiled_expression_cache_size>33554432</compiled_expression_cache_size>
    <vector_similarity_index_cache_size>1048576</vector_similarity_index_cache_size>
    <text_index_tokens_cache_size>1048576</text_index_tokens_cache_size>
    <text_index_header_cache_size>1048576</text_index_header_cache_size>
    <text_index_postings_cache_size>1048576</text_index_postings_cache_size>
    <iceberg_metadata_files_cache_size>1048576</iceberg_metadata_files_cache_size>
    <parquet_metadata_cache_size>1048576</parquet_metadata_cache_size>
</clickhouse>
`

func writeServerConfig(path string) (string, error) {
	file := filepath.Join(path, "kassa-engine.xml")
	if have, err := os.ReadFile(file); err == nil && string(have) == serverConfig {
		return file, nil
	}
	if err := os.WriteFile(file, []byte(serverConfig), 0o600); err != nil {
		return "", fmt.Errorf("write the engine's configuration: %w", err)
	}
	return file, nil
}

// explainRefusal says why the library would not open the path. It reports no
// reason itself, but the engine's lock file tells the usual ones apart.
func (e *Engine) explainRefusal() error {
	pid, locked, err := lockHolder(filepath.Join(e.path, "status"))
	switch {
	case err != nil:
		return fmt.Errorf("open the embedded engine on %s: %w", e.path, err)
	case locked:
		return fmt.Errorf("open the embedded engine: process %d has %s open: is another kassa running on this data_dir? "+
			"Stop it, or point both at `kassa engine`", pid, e.path)
	default:
		return fmt.Errorf("open the embedded engine on %s: the library refused. One process can open one data directory at a time; "+
			"else check that the directory is writable, has free space, and was not written by a newer engine", e.path)
	}
}

// lockHolder tells whether the engine's status file is locked, and by which
// process.
func lockHolder(file string) (pid int, locked bool, err error) {
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if err == nil {
		return 0, false, nil // closing the file gives the lock back
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return 0, false, err
	}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "PID: "); ok {
			pid, _ = strconv.Atoi(strings.TrimSpace(text))
		}
	}
	return pid, true, nil
}
