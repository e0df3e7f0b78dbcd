// Generated from the server's own schemas by `make types`. Do not edit.
// digest: 17c1b4bda007ac5d83d760252233c7c389e2051c7c3b9b16632a66a58a4ebf73
/* eslint-disable */
export interface paths {
    "/api/knowledge-items/crawl": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["crawler_api_start_crawl"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/knowledge-items/crawl/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["crawler_api_preview_crawl"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/knowledge-items/stop/{progress_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["crawler_api_stop_crawl"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/knowledge-items/pause/{progress_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["crawler_api_pause_crawl"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/knowledge-items/resume/{progress_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["crawler_api_resume_crawl"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/knowledge-items/retry-failed/{progress_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["crawler_api_retry_failed"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/knowledge-items/{source_id}/refresh": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["crawler_api_refresh_source"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/crawls/{progress_id}/pages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["crawler_api_list_pages"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/crawls/{progress_id}/hosts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["crawler_api_list_hosts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/rag/query": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["knowledge_api_search_rag_query"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/knowledge-items/search": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["search_knowledge_items"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/rag/eval": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["knowledge_api_search_rag_eval"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/knowledge-items/{source_id}/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["knowledge_api_portable_export_item"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/knowledge-items/import": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["knowledge_api_portable_import_item"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/knowledge-items": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["knowledge_api_items_list_items"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/knowledge-items/summary": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["knowledge_api_items_list_summaries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/rag/sources": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["knowledge_api_items_list_sources"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/knowledge-items/sources": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["list_knowledge_sources"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/knowledge-items/{source_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["knowledge_api_items_read_item"];
        put: operations["knowledge_api_items_update_item"];
        post?: never;
        delete: operations["knowledge_api_items_delete_item"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/knowledge-items/{source_id}/chunks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["knowledge_api_items_list_chunks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/knowledge-items/{source_id}/changes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["knowledge_api_items_list_changes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/database/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["knowledge_api_items_database_metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/pages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["knowledge_api_pages_list_pages"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/pages/by-url": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["knowledge_api_pages_read_page_by_url"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/pages/{page_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["knowledge_api_pages_read_page"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/pages/{page_id}/html": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["knowledge_api_pages_read_page_html"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/pages/{page_id}/diff": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["knowledge_api_pages_read_page_diff"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/documents/upload": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["knowledge_api_uploads_upload_documents"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/documents/uploads/{progress_id}/files": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["knowledge_api_uploads_list_files"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/knowledge-items/{source_id}/code-examples": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["knowledge_api_code_examples_list_code_examples"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/rag/code-examples": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["knowledge_api_code_examples_query_code_examples"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/chat/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["knowledge_chat_api_list_sessions"];
        put?: never;
        post: operations["knowledge_chat_api_create_session"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/chat/sessions/{session_id}/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["knowledge_chat_api_send_message"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/chat/sessions/{session_id}/stop": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["knowledge_chat_api_stop_answer"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/chat/sessions/{session_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["knowledge_chat_api_read_session"];
        put?: never;
        post?: never;
        delete: operations["knowledge_chat_api_delete_session"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/progress/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["progress_api_list_active"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/progress/{progress_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["progress_api_read_progress"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/mcp/logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["progress_api_read_logs"];
        put?: never;
        post?: never;
        delete: operations["progress_api_clear_logs"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/mcp/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["archon_mcp_api_read_status"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/mcp/config": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["archon_mcp_api_read_config"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/mcp/tools": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["archon_mcp_api_list_tools"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/mcp/clients": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["archon_mcp_api_list_clients"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/mcp/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["archon_mcp_api_list_sessions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/mcp/unanswered": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["archon_mcp_api_list_unanswered"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/whoami": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["archon_tokens_api_whoami"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["archon_tokens_api_list_tokens"];
        put?: never;
        post: operations["archon_tokens_api_make_token"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tokens/{token_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete: operations["archon_tokens_api_revoke_token"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/socket-ticket": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["archon_tokens_api_socket_ticket"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/settings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["archon_settings_api_read_settings"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/webhooks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["archon_webhooks_api_list_webhooks"];
        put?: never;
        post: operations["archon_webhooks_api_make_webhook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/webhooks/{webhook_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete: operations["archon_webhooks_api_delete_webhook"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/webhooks/{webhook_id}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["archon_webhooks_api_send_test"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/webhooks/{webhook_id}/deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["archon_webhooks_api_list_deliveries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        CrawlStarted: {
            /** @default true */
            success: boolean;
            progressId: string;
            sourceId: string;
            message: string;
            estimatedDuration: string;
        };
        CrawlIn: {
            /** @default  */
            url: string;
            /** @default technical */
            knowledge_type: string;
            tags?: string[];
            /** @default 7 */
            update_frequency: number;
            /** @default 2 */
            max_depth: number;
            max_pages?: number | null;
            include?: string[];
            exclude?: string[];
            /**
             * @default path
             * @enum {string}
             */
            scope: "path" | "host" | "domain";
            /** @default true */
            extract_code_examples: boolean;
            /**
             * @default auto
             * @enum {string}
             */
            render: "auto" | "http" | "browser";
            /** @default true */
            respect_robots: boolean;
            /** @default false */
            private: boolean;
            headers?: {
                [key: string]: string;
            } | null;
        };
        CrawlPreview: {
            kind: string;
            seed: string;
            scope: {
                [key: string]: unknown;
            };
            pages: components["schemas"]["PreviewPageOut"][];
            counts: {
                [key: string]: number;
            };
            robots: components["schemas"]["PreviewRobots"];
            warnings: string[];
            notes: string[];
            truncated: string;
        };
        PreviewPageOut: {
            url: string;
            title: string;
            depth: number;
            /** @enum {string} */
            verdict: "crawl" | "skip";
            reason: string;
        };
        PreviewRobots: {
            status: number | null;
            allowed: boolean;
            crawl_delay: number | null;
            sitemaps: string[];
        };
        CrawlMoved: {
            /** @default true */
            success: boolean;
            message: string;
            progressId: string;
        };
        RefreshStarted: {
            progressId: string;
            message: string;
        };
        CrawlUrlPage: {
            pages: components["schemas"]["UrlVerdict"][];
            total: number;
            page: number;
            per_page: number;
            counts: {
                [key: string]: number;
            };
            discovery: {
                [key: string]: unknown;
            };
        };
        ErrorBody: {
            code: string;
            message: string;
            hint: string;
        };
        UrlVerdict: {
            url: string;
            state: string;
            reason: string;
            depth: number;
            http_status: number | null;
            milliseconds: number | null;
            bytes: number | null;
            rendered: boolean;
            chunks: number;
            attempts: number;
            page_id: string | null;
            error: components["schemas"]["ErrorBody"] | null;
            fetched_at: string | null;
        };
        CrawlHost: {
            origin: string;
            own: boolean;
            concurrency: number | null;
            delay_seconds: number;
            crawl_delay: number | null;
            robots: components["schemas"]["RobotsState"];
            robots_status: number | null;
            robots_error: string;
            held: components["schemas"]["HostHold"] | null;
            holds: number;
            counts: {
                [key: string]: number;
            };
        };
        CrawlHosts: {
            user_agent: string;
            hosts: components["schemas"]["CrawlHost"][];
        };
        HostHold: {
            /** Format: date-time */
            until: string;
            status: number;
            seconds: number;
        };
        /** @enum {string} */
        RobotsState: "unread" | "read" | "absent" | "unreachable";
        Hit: {
            id: string;
            content: string;
            url: string;
            title: string;
            heading_path: string;
            metadata: components["schemas"]["HitMetadata"];
            similarity_score: number;
            scores: components["schemas"]["HitScores"];
            page_id?: string | null;
            section_title?: string | null;
            word_count?: number | null;
            chunk_matches?: number | null;
            aggregate_similarity?: number | null;
            average_similarity?: number | null;
            source_id?: string | null;
        };
        HitMetadata: {
            source_id: string;
            page_id: string;
            page_url: string;
            chunk_index: number;
            anchor: string;
            knowledge_type: string;
            tags: string[];
            snippet: string;
            highlights: [
                number,
                number
            ][];
        };
        HitScores: {
            vector: number | null;
            keyword: number | null;
            rerank: number | null;
        };
        RagAnswer: {
            /** @default true */
            success: boolean;
            results: components["schemas"]["Hit"][];
            query: string;
            source: string | null;
            match_count: number;
            total_found: number;
            /** @enum {string} */
            search_mode: "hybrid" | "vector" | "keyword";
            reranking_applied: boolean;
            /** @default  */
            notice: string;
            /** @default false */
            weak: boolean;
            /** @enum {string} */
            return_mode: "chunks" | "pages";
            took_ms: number;
        };
        RagQuery: {
            /** @default  */
            query: string;
            source?: string | null;
            tags?: string[];
            /** @default 5 */
            match_count: number;
            /**
             * @default chunks
             * @enum {string}
             */
            return_mode: "chunks" | "pages";
            /**
             * @default hybrid
             * @enum {string}
             */
            mode: "hybrid" | "vector" | "keyword";
        };
        EvalModeScore: {
            /** @enum {string} */
            mode: "hybrid" | "vector" | "keyword";
            hit_at_1: number;
            hit_at_5: number;
            hit_at_10: number;
            mrr: number;
            ndcg_at_10: number;
            median_ms: number;
            answered_as: ("hybrid" | "vector" | "keyword")[];
            unavailable: string;
        };
        RagEvaluation: {
            /** @default true */
            success: boolean;
            modes: components["schemas"]["EvalModeScore"][];
            ranks: {
                [key: string]: number | null;
            }[];
            took_ms: number;
        };
        EvalQuestionIn: {
            query: string;
            expected: string[] | string;
            source?: string | null;
            tags?: string[];
        };
        RagEval: {
            questions: components["schemas"]["EvalQuestionIn"][];
            modes?: ("hybrid" | "vector" | "keyword")[];
        };
        ImportStarted: {
            /** @default true */
            success: boolean;
            progressId: string;
            sourceId: string;
            message: string;
        };
        Item: {
            id: string;
            title: string;
            url: string;
            source_id: string;
            metadata: components["schemas"]["ItemMetadata"];
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
        };
        ItemList: {
            items: components["schemas"]["Item"][];
            total: number;
            page: number;
            per_page: number;
            pages: number;
        };
        ItemMetadata: {
            knowledge_type: string;
            tags: string[];
            source_type: string;
            status: string;
            failure: components["schemas"]["SourceFailure"] | null;
            description: string;
            document_count: number;
            chunks_count: number;
            word_count: number;
            code_examples_count: number;
            estimated_pages: number;
            pages_tooltip: string;
            last_scraped: string | null;
            update_frequency: number;
            original_url: string;
            group_name: string;
            private: boolean;
        };
        SourceFailure: {
            code: string;
            message: string;
            hint: string;
            progress_id: string;
            /** Format: date-time */
            failed_at: string;
        };
        ItemSummary: {
            source_id: string;
            title: string;
            url: string;
            status: string;
            document_count: number;
            code_examples_count: number;
            knowledge_type: string;
            source_type: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
            metadata: components["schemas"]["ItemMetadata"];
        };
        ItemSummaryList: {
            items: components["schemas"]["ItemSummary"][];
            total: number;
            page: number;
            per_page: number;
            pages: number;
        };
        Source: {
            source_id: string;
            title: string;
            url: string;
            summary: string;
            metadata: components["schemas"]["ItemMetadata"];
            total_words: number;
            update_frequency: number;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
        };
        SourceList: {
            /** @default true */
            success: boolean;
            sources: components["schemas"]["Source"][];
            count: number;
        };
        ItemChanged: {
            /** @default true */
            success: boolean;
            message: string;
            source_id: string;
        };
        ItemUpdate: {
            /** @default  */
            title: string;
            /** @default  */
            description: string;
            /**
             * @default technical
             * @enum {string}
             */
            knowledge_type: "technical" | "business";
            tags?: string[];
            /**
             * @default active
             * @enum {string}
             */
            status: "active" | "processing" | "error";
            /** @default 7 */
            update_frequency: number;
            /** @default  */
            group_name: string;
            /** @default false */
            private: boolean;
        };
        ItemDeleted: {
            /** @default true */
            success: boolean;
            message: string;
            source_id: string;
            progressId: string;
        };
        ChunkList: {
            /** @default true */
            success: boolean;
            source_id: string;
            domain_filter: string | null;
            chunks: components["schemas"]["ChunkOut"][];
            total: number;
            limit: number;
            offset: number;
            has_more: boolean;
        };
        ChunkMetadata: {
            page_id: string;
            chunk_index: number;
            heading_path: string;
            anchor: string;
            char_count: number;
        };
        ChunkOut: {
            id: string;
            source_id: string;
            content: string;
            metadata: components["schemas"]["ChunkMetadata"];
            url: string;
            title: string;
            section: string;
            source_type: string;
            knowledge_type: string;
        };
        ChangeCounts: {
            added: number;
            changed: number;
            removed: number;
        };
        ChangeList: {
            /** @default true */
            success: boolean;
            source_id: string;
            /** Format: date-time */
            since: string;
            changes: components["schemas"]["PageChange"][];
            counts: components["schemas"]["ChangeCounts"];
            total: number;
            limit: number;
            offset: number;
            has_more: boolean;
        };
        PageChange: {
            page_id: string | null;
            url: string;
            title: string;
            /** @enum {string} */
            change: "added" | "changed" | "removed";
            /** Format: date-time */
            changed_at: string;
            has_diff: boolean;
        };
        Metrics: {
            sources_count: number;
            pages_count: number;
            chunks_count: number;
            code_examples_count: number;
            words_count: number;
            average_pages_per_source: number;
            /** Format: date-time */
            timestamp: string;
        };
        PageList: {
            pages: components["schemas"]["PageSummary"][];
            total: number;
            source_id: string;
            limit: number;
            offset: number;
            has_more: boolean;
        };
        PageSummary: {
            id: string;
            url: string;
            section_title: string;
            section_order: number;
            word_count: number;
            char_count: number;
            chunk_count: number;
        };
        Page: {
            id: string;
            source_id: string;
            url: string;
            title: string;
            full_content: string;
            section_title: string;
            word_count: number;
            char_count: number;
            chunk_count: number;
            metadata: components["schemas"]["PageMetadata"];
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
        };
        PageMetadata: {
            description: string;
            language: string;
            content_type: string;
            http_status: number;
            /** Format: date-time */
            fetched_at: string;
            /** Format: date-time */
            changed_at: string;
        };
        PageHtml: {
            id: string;
            source_id: string;
            url: string;
            title: string;
            html: string;
            truncated: boolean;
        };
        PageDiff: {
            page_id: string;
            source_id: string;
            url: string;
            title: string;
            title_before: string;
            since: string | null;
            until: string | null;
            /** Format: date-time */
            changed_at: string;
            diff: string;
            added: number;
            removed: number;
            truncated: boolean;
        };
        UploadStarted: {
            /** @default true */
            success: boolean;
            progressId: string;
            sourceId: string;
            message: string;
            filename: string;
        };
        FileError: {
            code: string;
            message: string;
            hint: string;
        };
        UploadFiles: {
            files: components["schemas"]["UploadedFileOut"][];
            total: number;
            page: number;
            per_page: number;
        };
        UploadedFileOut: {
            name: string;
            state: string;
            reason: string;
            content_type: string;
            bytes: number;
            chunks: number;
            page_id: string | null;
            error: components["schemas"]["FileError"] | null;
        };
        CodeExampleList: {
            /** @default true */
            success: boolean;
            source_id: string;
            code_examples: components["schemas"]["CodeExampleOut"][];
            left_out: components["schemas"]["LeftOut"];
            descriptions: components["schemas"]["Descriptions"];
            total: number;
            limit: number;
            offset: number;
            has_more: boolean;
        };
        CodeExampleMetadata: {
            page_id: string;
            page_title: string;
            heading_path: string;
            anchor: string;
            char_count: number;
            knowledge_type: string;
            tags: string[];
        };
        CodeExampleOut: {
            id: string;
            source_id: string;
            content: string;
            language: string;
            title: string;
            summary: string;
            described_by: string;
            url: string;
            metadata: components["schemas"]["CodeExampleMetadata"];
        };
        Descriptions: {
            by_model: number;
            waiting: number;
            failed: number;
            reason: string;
        };
        LeftOut: {
            short: number;
            long: number;
            prose: number;
            diagram: number;
            output: number;
            duplicate: number;
        };
        CodeExampleAnswer: {
            /** @default true */
            success: boolean;
            results: components["schemas"]["CodeExampleHit"][];
            query: string;
            source: string | null;
            language: string;
            match_count: number;
            total_found: number;
            /** @enum {string} */
            search_mode: "hybrid" | "vector" | "keyword";
            /** @default false */
            reranking_applied: boolean;
            /** @default  */
            notice: string;
            took_ms: number;
        };
        CodeExampleHit: {
            id: string;
            source_id: string;
            content: string;
            language: string;
            title: string;
            summary: string;
            described_by: string;
            url: string;
            metadata: components["schemas"]["CodeExampleMetadata"];
            similarity_score: number;
            scores: components["schemas"]["HitScores"];
        };
        CodeExampleQuery: {
            /** @default  */
            query: string;
            source?: string | null;
            tags?: string[];
            /** @default  */
            language: string;
            /** @default 5 */
            match_count: number;
            /**
             * @default chunks
             * @enum {string}
             */
            return_mode: "chunks" | "pages";
            /**
             * @default hybrid
             * @enum {string}
             */
            mode: "hybrid" | "vector" | "keyword";
        };
        Session: {
            session_id: string;
            title: string;
            sequence: number;
            message_count: number;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
        };
        SessionIn: {
            /** @default  */
            session_id: string;
            /** @default  */
            title: string;
        };
        ChatSessionList: {
            sessions: components["schemas"]["Session"][];
            total: number;
            page: number;
            per_page: number;
        };
        MessageAccepted: {
            /** @default true */
            success: boolean;
            session_id: string;
            question_id: number;
            message_id: number;
            sequence: number;
        };
        MessageIn: {
            message: string;
            source_id?: string | null;
        };
        AnswerStopped: {
            /** @default true */
            success: boolean;
            message: string;
            stopped: boolean;
        };
        CitationBody: {
            n: number;
            chunk_id: number;
            source_id: string;
            title: string;
            heading_path: string;
            url: string;
            page_url: string;
            snippet: string;
        };
        MessageBody: {
            id: number;
            /** @enum {string} */
            role: "user" | "assistant";
            /** @enum {string} */
            state: "streaming" | "complete" | "stopped" | "failed";
            text: string;
            citations: components["schemas"]["CitationBody"][];
            model: string;
            source_id: string | null;
            error: components["schemas"]["ErrorBody"] | null;
            /** Format: date-time */
            created_at: string;
            completed_at: string | null;
        };
        SessionMessages: {
            session_id: string;
            title: string;
            sequence: number;
            messages: components["schemas"]["MessageBody"][];
            total_messages: number;
            typing: components["schemas"]["TypingBody"] | null;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
        };
        TypingBody: {
            message_id: number;
            /** @enum {string} */
            stage: "searching" | "waiting" | "retrying" | "writing";
            note: string;
            retry_in: number | null;
        };
        SessionDeleted: {
            /** @default true */
            success: boolean;
            message: string;
            session_id: string;
        };
        ActiveOperations: {
            operations: {
                [key: string]: unknown;
            }[];
            count: number;
            /** Format: date-time */
            timestamp: string;
        };
        LogRecords: {
            logs: {
                [key: string]: unknown;
            }[];
            count: number;
            total: number;
        };
        LogsCleared: {
            success: boolean;
            message: string;
            deleted: number;
        };
        ServerStatus: {
            /** @default running */
            status: string;
            /** @default streamable-http */
            transport: string;
            url: string;
            version: string;
            /** Format: date-time */
            started_at: string;
            uptime: number;
            calls: number;
            errors: number;
            active_sessions: number;
            last_call_at: string | null;
            logs: string[];
        };
        Config: {
            host: string;
            port: number;
            /** @default streamable-http */
            transport: string;
            url: string;
            token_required: boolean;
            stdio_command: string[];
            crawls_per_hour: number;
            clients: components["schemas"]["SnippetOut"][];
        };
        SnippetOut: {
            client: string;
            title: string;
            file: string;
            language: string;
            text: string;
            note: string;
            link: string;
        };
        ToolList: {
            tools: components["schemas"]["ToolOut"][];
            count: number;
        };
        ToolOut: {
            name: string;
            title: string;
            description: string;
            read_only: boolean;
            destructive: boolean;
            open_world: boolean;
            alias_of: string | null;
            input_schema: {
                [key: string]: unknown;
            };
            output_schema: {
                [key: string]: unknown;
            } | null;
        };
        ClientList: {
            clients: components["schemas"]["ClientOut"][];
            total: number;
        };
        ClientOut: {
            calls: number;
            errors: number;
            mean_milliseconds: number | null;
            tools: {
                [key: string]: number;
            };
            /** Format: date-time */
            first_seen: string;
            /** Format: date-time */
            last_seen: string;
            client_name: string;
            client_version: string;
            transport: string;
            protocol_version: string;
            sessions: number;
        };
        SessionList: {
            sessions: components["schemas"]["SessionOut"][];
            active_sessions: number;
            session_timeout: number;
            server_uptime_seconds: number;
        };
        SessionOut: {
            calls: number;
            errors: number;
            mean_milliseconds: number | null;
            tools: {
                [key: string]: number;
            };
            /** Format: date-time */
            first_seen: string;
            /** Format: date-time */
            last_seen: string;
            session_id: string;
            client_name: string;
            client_version: string;
            transport: string;
            protocol_version: string;
            active: boolean;
        };
        UnansweredList: {
            unanswered: components["schemas"]["UnansweredOut"][];
            total: number;
        };
        UnansweredOut: {
            query: string;
            source_id: string | null;
            count: number;
            clients: string[];
            /** Format: date-time */
            last_asked: string;
        };
        /** @enum {string} */
        Scope: "read" | "crawl" | "mcp" | "admin";
        WhoAmI: {
            mode: string;
            user: string;
            staff: boolean;
            scopes: components["schemas"]["Scope"][];
        };
        TokenList: {
            tokens: components["schemas"]["TokenOut"][];
        };
        TokenOut: {
            id: number;
            name: string;
            prefix: string;
            scopes: components["schemas"]["Scope"][];
            /** Format: date-time */
            created_at: string;
            expires_at: string | null;
            last_used_at: string | null;
            revoked_at: string | null;
        };
        TokenMade: {
            id: number;
            name: string;
            prefix: string;
            scopes: components["schemas"]["Scope"][];
            /** Format: date-time */
            created_at: string;
            expires_at: string | null;
            last_used_at: string | null;
            revoked_at: string | null;
            token: string;
        };
        TokenIn: {
            name: string;
            /**
             * @default [
             *       "read",
             *       "mcp"
             *     ]
             */
            scopes: components["schemas"]["Scope"][];
            /** @default 365 */
            days: number | null;
        };
        Revoked: {
            /** @default true */
            success: boolean;
            message: string;
        };
        Ticket: {
            ticket: string;
            subprotocols: string[];
            expires_in: number;
        };
        EmbedderState: {
            /** @enum {string} */
            kind: "local" | "remote" | "off";
            model: string;
            url: string;
            space: string;
            dimension: number | null;
            serving: boolean;
            embedded: number;
            waiting: number;
            refused: number;
            away_since: string | null;
            away_reason: string;
            asked_again_at: string | null;
        };
        LanguageModel: {
            model: string;
            url: string;
            key_given: boolean;
        };
        RerankerState: {
            model: string;
            reranked: number;
        };
        SettingGroup: {
            title: string;
            settings: components["schemas"]["SettingOut"][];
        };
        SettingOut: {
            name: string;
            kind: string;
            value: string | null;
            default: string;
            help: string;
            given: boolean;
        };
        SettingsOut: {
            groups: components["schemas"]["SettingGroup"][];
            embedder: components["schemas"]["EmbedderState"];
            reranker: components["schemas"]["RerankerState"];
            language_model: components["schemas"]["LanguageModel"];
        };
        WebhookList: {
            webhooks: components["schemas"]["WebhookOut"][];
        };
        WebhookOut: {
            id: number;
            url: string;
            events: string[];
            active: boolean;
            note: string;
            /** Format: date-time */
            created_at: string;
        };
        WebhookMade: {
            id: number;
            url: string;
            events: string[];
            active: boolean;
            note: string;
            /** Format: date-time */
            created_at: string;
            secret: string;
        };
        /** @enum {string} */
        Event: "crawl.finished" | "crawl.failed" | "source.changed";
        WebhookIn: {
            url: string;
            /**
             * @default [
             *       "crawl.finished",
             *       "crawl.failed"
             *     ]
             */
            events: components["schemas"]["Event"][];
        };
        Done: {
            /** @default true */
            success: boolean;
            message: string;
        };
        DeliveryList: {
            deliveries: components["schemas"]["DeliveryOut"][];
            total: number;
        };
        DeliveryOut: {
            id: number;
            event: string;
            key: string;
            state: string;
            attempts: number;
            http_status: number | null;
            error: string;
            /** Format: date-time */
            created_at: string;
            delivered_at: string | null;
            next_at: string | null;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    crawler_api_start_crawl: {
        parameters: {
            query?: never;
            header?: {
                idempotency_key?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CrawlIn"];
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CrawlStarted"];
                };
            };
        };
    };
    crawler_api_preview_crawl: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CrawlIn"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CrawlPreview"];
                };
            };
        };
    };
    crawler_api_stop_crawl: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                progress_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CrawlMoved"];
                };
            };
        };
    };
    crawler_api_pause_crawl: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                progress_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CrawlMoved"];
                };
            };
        };
    };
    crawler_api_resume_crawl: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                progress_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CrawlMoved"];
                };
            };
        };
    };
    crawler_api_retry_failed: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                progress_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CrawlMoved"];
                };
            };
        };
    };
    crawler_api_refresh_source: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                source_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefreshStarted"];
                };
            };
        };
    };
    crawler_api_list_pages: {
        parameters: {
            query?: {
                state?: ("queued" | "leased" | "done" | "failed" | "skipped") | null;
                page?: number;
                per_page?: number;
            };
            header?: never;
            path: {
                progress_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CrawlUrlPage"];
                };
            };
        };
    };
    crawler_api_list_hosts: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                progress_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CrawlHosts"];
                };
            };
        };
    };
    knowledge_api_search_rag_query: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RagQuery"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RagAnswer"];
                };
            };
        };
    };
    search_knowledge_items: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RagQuery"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RagAnswer"];
                };
            };
        };
    };
    knowledge_api_search_rag_eval: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RagEval"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RagEvaluation"];
                };
            };
        };
    };
    knowledge_api_portable_export_item: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                source_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/jsonl": unknown;
                };
            };
        };
    };
    knowledge_api_portable_import_item: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "multipart/form-data": {
                    /** Format: binary */
                    file: string;
                };
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImportStarted"];
                };
            };
        };
    };
    knowledge_api_items_list_items: {
        parameters: {
            query?: {
                page?: number;
                per_page?: number;
                knowledge_type?: string;
                search?: string;
                tags?: string[];
                source_type?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ItemList"];
                };
            };
        };
    };
    knowledge_api_items_list_summaries: {
        parameters: {
            query?: {
                page?: number;
                per_page?: number;
                knowledge_type?: string;
                search?: string;
                tags?: string[];
                source_type?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ItemSummaryList"];
                };
            };
        };
    };
    knowledge_api_items_list_sources: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SourceList"];
                };
            };
        };
    };
    list_knowledge_sources: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SourceList"];
                };
            };
        };
    };
    knowledge_api_items_read_item: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                source_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Item"];
                };
            };
        };
    };
    knowledge_api_items_update_item: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                source_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ItemUpdate"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ItemChanged"];
                };
            };
        };
    };
    knowledge_api_items_delete_item: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                source_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ItemDeleted"];
                };
            };
        };
    };
    knowledge_api_items_list_chunks: {
        parameters: {
            query?: {
                limit?: number;
                offset?: number;
                domain_filter?: string;
            };
            header?: never;
            path: {
                source_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChunkList"];
                };
            };
        };
    };
    knowledge_api_items_list_changes: {
        parameters: {
            query?: {
                since?: string | null;
                limit?: number;
                offset?: number;
            };
            header?: never;
            path: {
                source_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChangeList"];
                };
            };
        };
    };
    knowledge_api_items_database_metrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Metrics"];
                };
            };
        };
    };
    knowledge_api_pages_list_pages: {
        parameters: {
            query?: {
                source_id?: string;
                section?: string;
                limit?: number;
                offset?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageList"];
                };
            };
        };
    };
    knowledge_api_pages_read_page_by_url: {
        parameters: {
            query?: {
                url?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page"];
                };
            };
        };
    };
    knowledge_api_pages_read_page: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                page_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page"];
                };
            };
        };
    };
    knowledge_api_pages_read_page_html: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                page_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageHtml"];
                };
            };
        };
    };
    knowledge_api_pages_read_page_diff: {
        parameters: {
            query?: {
                since?: string | null;
            };
            header?: never;
            path: {
                page_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageDiff"];
                };
            };
        };
    };
    knowledge_api_uploads_upload_documents: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "multipart/form-data": {
                    file: string[];
                    /** @default  */
                    tags?: string;
                    /** @default technical */
                    knowledge_type?: string;
                    /** @default true */
                    extract_code_examples?: boolean;
                    /** @default false */
                    private?: boolean;
                };
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UploadStarted"];
                };
            };
        };
    };
    knowledge_api_uploads_list_files: {
        parameters: {
            query?: {
                page?: number;
                per_page?: number;
            };
            header?: never;
            path: {
                progress_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UploadFiles"];
                };
            };
        };
    };
    knowledge_api_code_examples_list_code_examples: {
        parameters: {
            query?: {
                limit?: number;
                offset?: number;
            };
            header?: never;
            path: {
                source_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CodeExampleList"];
                };
            };
        };
    };
    knowledge_api_code_examples_query_code_examples: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CodeExampleQuery"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CodeExampleAnswer"];
                };
            };
        };
    };
    knowledge_chat_api_list_sessions: {
        parameters: {
            query?: {
                page?: number;
                per_page?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChatSessionList"];
                };
            };
        };
    };
    knowledge_chat_api_create_session: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SessionIn"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
        };
    };
    knowledge_chat_api_send_message: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                session_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MessageIn"];
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageAccepted"];
                };
            };
        };
    };
    knowledge_chat_api_stop_answer: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                session_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AnswerStopped"];
                };
            };
        };
    };
    knowledge_chat_api_read_session: {
        parameters: {
            query?: {
                before?: number | null;
                limit?: number;
            };
            header?: never;
            path: {
                session_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionMessages"];
                };
            };
        };
    };
    knowledge_chat_api_delete_session: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                session_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionDeleted"];
                };
            };
        };
    };
    progress_api_list_active: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ActiveOperations"];
                };
            };
        };
    };
    progress_api_read_progress: {
        parameters: {
            query?: {
                since?: number | null;
            };
            header?: never;
            path: {
                progress_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    progress_api_read_logs: {
        parameters: {
            query?: {
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogRecords"];
                };
            };
        };
    };
    progress_api_clear_logs: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogsCleared"];
                };
            };
        };
    };
    archon_mcp_api_read_status: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServerStatus"];
                };
            };
        };
    };
    archon_mcp_api_read_config: {
        parameters: {
            query?: {
                client?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Config"];
                };
            };
        };
    };
    archon_mcp_api_list_tools: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ToolList"];
                };
            };
        };
    };
    archon_mcp_api_list_clients: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ClientList"];
                };
            };
        };
    };
    archon_mcp_api_list_sessions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionList"];
                };
            };
        };
    };
    archon_mcp_api_list_unanswered: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UnansweredList"];
                };
            };
        };
    };
    archon_tokens_api_whoami: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WhoAmI"];
                };
            };
        };
    };
    archon_tokens_api_list_tokens: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokenList"];
                };
            };
        };
    };
    archon_tokens_api_make_token: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TokenIn"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokenMade"];
                };
            };
        };
    };
    archon_tokens_api_revoke_token: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                token_id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Revoked"];
                };
            };
        };
    };
    archon_tokens_api_socket_ticket: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Ticket"];
                };
            };
        };
    };
    archon_settings_api_read_settings: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SettingsOut"];
                };
            };
        };
    };
    archon_webhooks_api_list_webhooks: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookList"];
                };
            };
        };
    };
    archon_webhooks_api_make_webhook: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WebhookIn"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookMade"];
                };
            };
        };
    };
    archon_webhooks_api_delete_webhook: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                webhook_id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
        };
    };
    archon_webhooks_api_send_test: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                webhook_id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
        };
    };
    archon_webhooks_api_list_deliveries: {
        parameters: {
            query?: {
                limit?: number;
            };
            header?: never;
            path: {
                webhook_id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeliveryList"];
                };
            };
        };
    };
}

export namespace Messages {
  export type paths = Record<string, never>;
  export type webhooks = Record<string, never>;
  export interface components {
      schemas: {
          ChatChunk: {
              /** @constant */
              type: "chat_chunk";
              data: components["schemas"]["ChunkBody"];
          };
          ChatCitations: {
              /** @constant */
              type: "chat_citations";
              data: components["schemas"]["CitationsBody"];
          };
          ChatCompleted: {
              /** @constant */
              type: "chat_completed";
              data: components["schemas"]["CompletedBody"];
          };
          ChatError: {
              /** @constant */
              type: "chat_error";
              data: components["schemas"]["ChatErrorBody"];
          };
          ChatErrorBody: {
              session_id: string;
              sequence: number | null;
              error: components["schemas"]["ErrorBody"];
              message: components["schemas"]["MessageBody"] | null;
          };
          ChatSnapshot: {
              /** @constant */
              type: "chat_snapshot";
              data: components["schemas"]["SnapshotBody"];
          };
          ChatStarted: {
              /** @constant */
              type: "chat_started";
              data: components["schemas"]["StartedBody"];
          };
          ChatTyping: {
              /** @constant */
              type: "chat_typing";
              data: components["schemas"]["TypingEventBody"];
          };
          ChunkBody: {
              session_id: string;
              sequence: number;
              message_id: number;
              index: number;
              delta: string;
          };
          CitationBody: {
              n: number;
              chunk_id: number;
              source_id: string;
              title: string;
              heading_path: string;
              url: string;
              page_url: string;
              snippet: string;
          };
          CitationsBody: {
              session_id: string;
              sequence: number;
              message_id: number;
              citations: components["schemas"]["CitationBody"][];
          };
          CompletedBody: {
              session_id: string;
              sequence: number;
              message: components["schemas"]["MessageBody"];
          };
          CrawlCompleted: {
              /** @constant */
              type: "crawl_completed";
              data: components["schemas"]["ProgressBody"];
          };
          CrawlProgress: {
              /** @constant */
              type: "crawl_progress";
              data: components["schemas"]["ProgressBody"] | components["schemas"]["WaitingBody"];
          };
          ErrorBody: {
              code: string;
              message: string;
              hint: string;
          };
          Heartbeat: {
              /** @constant */
              type: "heartbeat";
          };
          ItemBody: {
              id: string;
              title: string;
              url: string;
              source_id: string;
              metadata: components["schemas"]["ItemMetadata"];
              /** Format: date-time */
              created_at: string;
              /** Format: date-time */
              updated_at: string;
          };
          ItemMetadata: {
              knowledge_type: string;
              tags: string[];
              /** @enum {string} */
              source_type: "url" | "file";
              /** @enum {string} */
              status: "active" | "processing" | "error";
              failure: components["schemas"]["SourceFailure"] | null;
              description: string;
              document_count: number;
              chunks_count: number;
              word_count: number;
              code_examples_count: number;
              estimated_pages: number;
              pages_tooltip: string;
              last_scraped: string | null;
              update_frequency: number;
              original_url: string;
              group_name: string;
              private: boolean;
          };
          ItemsBody: {
              items: components["schemas"]["ItemBody"][];
              total: number;
              page: number;
              per_page: number;
          };
          /** @enum {string} */
          Kind: "crawl" | "refresh" | "upload" | "embed" | "describe" | "purge" | "import";
          KnowledgeItemsUpdate: {
              /** @constant */
              type: "knowledge_items_update";
              data: components["schemas"]["ItemsBody"];
          };
          LogMetadata: {
              client_id?: string | null;
              tool_name?: string | null;
              execution_time?: number | null;
              result_count?: number | null;
              error?: string | null;
          } & {
              [key: string]: unknown;
          };
          McpLogRecord: {
              id: number;
              /** Format: date-time */
              timestamp: string;
              level: string;
              logger: string;
              message: string;
              metadata: components["schemas"]["LogMetadata"];
          };
          MessageBody: {
              id: number;
              /** @enum {string} */
              role: "user" | "assistant";
              /** @enum {string} */
              state: "streaming" | "complete" | "stopped" | "failed";
              text: string;
              citations: components["schemas"]["CitationBody"][];
              model: string;
              source_id: string | null;
              error: components["schemas"]["ErrorBody"] | null;
              /** Format: date-time */
              created_at: string;
              completed_at: string | null;
          };
          Ping: {
              /** @constant */
              type: "ping";
          } & {
              [key: string]: unknown;
          };
          /** @constant */
          PingText: "ping";
          Pong: {
              /** @constant */
              type: "pong";
          };
          ProgressBody: {
              progressId: string;
              sequence: number;
              kind: components["schemas"]["Kind"];
              status: components["schemas"]["Status"];
              stage: components["schemas"]["Status"];
              percentage: number;
              /** Format: date-time */
              start_time: string;
              /** Format: date-time */
              updated_at: string;
              completed_at: string | null;
              currentUrl: string;
              totalPages: number;
              processedPages: number;
              failedPages: number;
              skippedPages: number;
              discoveredUrls: number;
              chunksStored: number;
              embeddedChunks: number;
              codeExamplesStored: number;
              wordCount: number;
              pagesPerSecond: number | null;
              etaSeconds: number | null;
              queuePosition: number | null;
              sourceId: string;
              log: string;
              error?: components["schemas"]["ErrorBody"];
              pages?: components["schemas"]["UrlVerdict"][];
              logs: string[];
              /** @constant */
              resync?: true;
          };
          SendMessage: {
              /** @constant */
              type: "chat_message";
              message: string;
              source_id?: string | null;
          } & {
              [key: string]: unknown;
          };
          SnapshotBody: {
              session_id: string;
              sequence: number;
              title: string;
              messages: components["schemas"]["MessageBody"][];
              total_messages: number;
              typing: components["schemas"]["TypingBody"] | null;
              /** @constant */
              resync?: true;
          };
          SourceFailure: {
              code: string;
              message: string;
              hint: string;
              progress_id: string;
              /** Format: date-time */
              failed_at: string;
          };
          StartedBody: {
              session_id: string;
              sequence: number;
              question: components["schemas"]["MessageBody"];
              message: components["schemas"]["MessageBody"];
          };
          /** @enum {string} */
          Status: "waiting" | "queued" | "starting" | "analyzing" | "discovering" | "crawling" | "storing" | "embedding" | "finalizing" | "paused" | "stopping" | "completed" | "failed" | "cancelled";
          StopAnswer: {
              /** @constant */
              type: "chat_stop";
          } & {
              [key: string]: unknown;
          };
          Subscribe: {
              /** @constant */
              type: "subscribe";
              page?: number;
              per_page?: number;
              search?: string;
              knowledge_type?: string;
              source_type?: string;
              tags?: string[];
          } & {
              [key: string]: unknown;
          };
          TypingBody: {
              message_id: number;
              /** @enum {string} */
              stage: "searching" | "waiting" | "retrying" | "writing";
              note: string;
              retry_in: number | null;
          };
          TypingEventBody: {
              session_id: string;
              sequence: number;
              message_id: number;
              /** @enum {string} */
              stage: "searching" | "waiting" | "retrying" | "writing";
              note: string;
              retry_in: number | null;
          };
          UrlVerdict: {
              url: string;
              state: string;
              reason: string;
              depth: number;
              http_status: number | null;
              milliseconds: number | null;
              bytes: number | null;
              rendered: boolean;
              chunks: number;
              attempts: number;
              page_id: string | null;
              error: components["schemas"]["ErrorBody"] | null;
              fetched_at: string | null;
          };
          WaitingBody: {
              progressId: string;
              /** @constant */
              status: "waiting";
              /** @constant */
              percentage: 0;
              logs: string[];
          };
      };
      responses: never;
      parameters: never;
      requestBodies: never;
      headers: never;
      pathItems: never;
  }
  export type $defs = Record<string, never>;
  export type operations = Record<string, never>;
}

export type Schema = components['schemas'];
export type Message = Messages.components['schemas'];
export type MessageName = 'ChatChunk' | 'ChatCitations' | 'ChatCompleted' | 'ChatError' | 'ChatErrorBody' | 'ChatSnapshot' | 'ChatStarted' | 'ChatTyping' | 'ChunkBody' | 'CitationBody' | 'CitationsBody' | 'CompletedBody' | 'CrawlCompleted' | 'CrawlProgress' | 'ErrorBody' | 'Heartbeat' | 'ItemBody' | 'ItemMetadata' | 'ItemsBody' | 'Kind' | 'KnowledgeItemsUpdate' | 'LogMetadata' | 'McpLogRecord' | 'MessageBody' | 'Ping' | 'PingText' | 'Pong' | 'ProgressBody' | 'SendMessage' | 'SnapshotBody' | 'SourceFailure' | 'StartedBody' | 'Status' | 'StopAnswer' | 'Subscribe' | 'TypingBody' | 'TypingEventBody' | 'UrlVerdict' | 'WaitingBody';
