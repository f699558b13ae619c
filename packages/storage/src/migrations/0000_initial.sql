CREATE TYPE "public"."audit_side" AS ENUM('serving', 'querying');--> statement-breakpoint
CREATE TYPE "public"."grant_status" AS ENUM('pending', 'active', 'suspended', 'revoked', 'expired');--> statement-breakpoint
CREATE TYPE "public"."peer_state" AS ENUM('pending', 'active', 'degraded', 'revoked', 'expired');--> statement-breakpoint
CREATE TYPE "public"."task_status" AS ENUM('open', 'in_progress', 'done', 'cancelled');--> statement-breakpoint
CREATE TYPE "public"."team_role" AS ENUM('owner', 'member');--> statement-breakpoint
CREATE TYPE "public"."enrollment_token_status" AS ENUM('open', 'claimed', 'consumed', 'expired', 'void');--> statement-breakpoint
CREATE TABLE "accounts" (
	"id" uuid PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"provider_id" text NOT NULL,
	"user_id" uuid NOT NULL,
	"access_token" text,
	"refresh_token" text,
	"id_token" text,
	"access_token_expires_at" timestamp (3) with time zone,
	"refresh_token_expires_at" timestamp (3) with time zone,
	"scope" text,
	"password" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "api_keys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"config_id" text DEFAULT 'default' NOT NULL,
	"name" text,
	"start" text,
	"prefix" text,
	"key" text NOT NULL,
	"reference_id" uuid NOT NULL,
	"refill_interval" integer,
	"refill_amount" integer,
	"last_refill_at" timestamp (3) with time zone,
	"enabled" boolean DEFAULT true NOT NULL,
	"rate_limit_enabled" boolean DEFAULT false NOT NULL,
	"rate_limit_time_window" integer,
	"rate_limit_max" integer,
	"request_count" integer DEFAULT 0 NOT NULL,
	"remaining" integer,
	"last_request" timestamp (3) with time zone,
	"expires_at" timestamp (3) with time zone,
	"permissions" text,
	"metadata" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "certificate_authorities" (
	"id" uuid PRIMARY KEY NOT NULL,
	"root_pem" text NOT NULL,
	"sealed_key" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "credentials" (
	"id" uuid PRIMARY KEY NOT NULL,
	"owner_id" uuid,
	"team_id" uuid,
	"space_id" uuid GENERATED ALWAYS AS (coalesce(team_id, owner_id)) STORED,
	"key" text,
	"properties" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"sealed_secret" text NOT NULL,
	"search_document" "tsvector" GENERATED ALWAYS AS (setweight(to_tsvector('english', name), 'A') || setweight(to_tsvector('english', left(kind, 100000)), 'B')) STORED,
	CONSTRAINT "credentials_has_a_space" CHECK (space_id is not null)
);
--> statement-breakpoint
CREATE TABLE "federation_audit_chain" (
	"id" uuid PRIMARY KEY NOT NULL,
	"position" bigint NOT NULL,
	"hash" text NOT NULL,
	"mac" text NOT NULL,
	"sealed_key" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "federation_audit_log" (
	"id" uuid PRIMARY KEY NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"side" "audit_side" NOT NULL,
	"event" text NOT NULL,
	"outcome" text NOT NULL,
	"reason" text,
	"grant_id" uuid,
	"peer_id" uuid,
	"subject_user_id" uuid,
	"actor_user_id" uuid,
	"serial" text,
	"request_id" text,
	"verb" text,
	"resource" text,
	"query_hash" text,
	"rows" integer,
	"bytes" integer,
	"took_ms" real,
	"details" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"position" bigint,
	"hash" text
);
--> statement-breakpoint
CREATE TABLE "federation_certificates" (
	"serial" text PRIMARY KEY NOT NULL,
	"grant_id" uuid NOT NULL,
	"generation" integer NOT NULL,
	"spki" text NOT NULL,
	"pem" text NOT NULL,
	"chain_pem" text[] DEFAULT '{}' NOT NULL,
	"not_after" timestamp (3) with time zone NOT NULL,
	"issued_at" timestamp (3) with time zone NOT NULL,
	"confirmed_at" timestamp (3) with time zone,
	"superseded_at" timestamp (3) with time zone,
	"revoked_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "federation_enrollment_tokens" (
	"id" uuid PRIMARY KEY NOT NULL,
	"grant_id" uuid NOT NULL,
	"token_hash" text NOT NULL,
	"status" "enrollment_token_status" DEFAULT 'open' NOT NULL,
	"claimed_spki" text,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "federation_grant_scopes" (
	"id" uuid PRIMARY KEY NOT NULL,
	"grant_id" uuid NOT NULL,
	"scope" jsonb NOT NULL,
	"changed_by" uuid NOT NULL,
	"changed_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "federation_grants" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"subject_user_id" uuid NOT NULL,
	"scope" jsonb NOT NULL,
	"status" "grant_status" DEFAULT 'pending' NOT NULL,
	"created_by" uuid NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"activated_at" timestamp (3) with time zone,
	"suspended_at" timestamp (3) with time zone,
	"suspended_reason" text,
	"revoked_at" timestamp (3) with time zone,
	"expires_at" timestamp (3) with time zone,
	"generation" integer DEFAULT 0 NOT NULL,
	"generation_spki" text,
	"late_renewals" integer DEFAULT 0 NOT NULL,
	"requests_per_minute" integer DEFAULT 1200 NOT NULL,
	"concurrent_requests" integer DEFAULT 16 NOT NULL,
	CONSTRAINT "federation_grants_requests_per_minute" CHECK (requests_per_minute between 1 and 1000000),
	CONSTRAINT "federation_grants_concurrent_requests" CHECK (concurrent_requests between 1 and 1000)
);
--> statement-breakpoint
CREATE TABLE "federation_peers" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"name" text NOT NULL,
	"state" "peer_state" DEFAULT 'pending' NOT NULL,
	"enroll_url" text NOT NULL,
	"token_hash" text NOT NULL,
	"endpoint" text,
	"previous_endpoint" text,
	"ca_fingerprint" text NOT NULL,
	"root_pem" text,
	"certificate_pem" text,
	"chain_pem" text[] DEFAULT '{}' NOT NULL,
	"sealed_key" text NOT NULL,
	"sealed_next_key" text,
	"previous_certificate_pem" text,
	"previous_chain_pem" text[] DEFAULT '{}' NOT NULL,
	"sealed_previous_key" text,
	"previous_not_after" timestamp (3) with time zone,
	"generation" integer DEFAULT 0 NOT NULL,
	"remote_grant_id" uuid,
	"not_after" timestamp (3) with time zone,
	"renew_at" timestamp (3) with time zone,
	"renew_attempts" integer DEFAULT 0 NOT NULL,
	"renew_error" text,
	"degraded_at" timestamp (3) with time zone,
	"crl_url" text,
	"crl_number" text,
	"last_success_at" timestamp (3) with time zone,
	"last_failure_at" timestamp (3) with time zone,
	"last_failure" text,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "federation_revocations" (
	"serial" text PRIMARY KEY NOT NULL,
	"grant_id" uuid NOT NULL,
	"reason" text NOT NULL,
	"not_after" timestamp (3) with time zone NOT NULL,
	"revoked_at" timestamp (3) with time zone NOT NULL,
	"told_at" timestamp (3) with time zone,
	"attempts" integer DEFAULT 0 NOT NULL,
	"next_attempt_at" timestamp (3) with time zone,
	"last_error" text
);
--> statement-breakpoint
CREATE TABLE "federation_server_certificates" (
	"id" uuid PRIMARY KEY NOT NULL,
	"certificate_pem" text NOT NULL,
	"sealed_key" text NOT NULL,
	"not_after" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"user_id" uuid NOT NULL,
	"key" text NOT NULL,
	"request_hash" text NOT NULL,
	"resource" text NOT NULL,
	"resource_id" uuid NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "idempotency_keys_user_id_key_pk" PRIMARY KEY("user_id","key")
);
--> statement-breakpoint
CREATE TABLE "memories" (
	"id" uuid PRIMARY KEY NOT NULL,
	"owner_id" uuid,
	"team_id" uuid,
	"space_id" uuid GENERATED ALWAYS AS (coalesce(team_id, owner_id)) STORED,
	"key" text,
	"properties" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"content" text NOT NULL,
	"search_document" "tsvector" GENERATED ALWAYS AS (setweight(to_tsvector('english', content), 'A')) STORED,
	CONSTRAINT "memories_has_a_space" CHECK (space_id is not null)
);
--> statement-breakpoint
CREATE TABLE "notes" (
	"id" uuid PRIMARY KEY NOT NULL,
	"owner_id" uuid,
	"team_id" uuid,
	"space_id" uuid GENERATED ALWAYS AS (coalesce(team_id, owner_id)) STORED,
	"key" text,
	"properties" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"title" text NOT NULL,
	"body" text DEFAULT '' NOT NULL,
	"search_document" "tsvector" GENERATED ALWAYS AS (setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', left(body, 100000)), 'B')) STORED,
	CONSTRAINT "notes_has_a_space" CHECK (space_id is not null)
);
--> statement-breakpoint
CREATE TABLE "search_words" (
	"resource" text NOT NULL,
	"space_id" uuid NOT NULL,
	"word" text NOT NULL,
	CONSTRAINT "search_words_resource_space_id_word_pk" PRIMARY KEY("resource","space_id","word")
);
--> statement-breakpoint
CREATE TABLE "sessions" (
	"id" uuid PRIMARY KEY NOT NULL,
	"token" text NOT NULL,
	"user_id" uuid NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"ip_address" text,
	"user_agent" text,
	"impersonated_by" uuid,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tasks" (
	"id" uuid PRIMARY KEY NOT NULL,
	"owner_id" uuid,
	"team_id" uuid,
	"space_id" uuid GENERATED ALWAYS AS (coalesce(team_id, owner_id)) STORED,
	"key" text,
	"properties" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"title" text NOT NULL,
	"description" text DEFAULT '' NOT NULL,
	"status" "task_status" DEFAULT 'open' NOT NULL,
	"due_at" timestamp (3) with time zone,
	"search_document" "tsvector" GENERATED ALWAYS AS (setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', left(description, 100000)), 'B')) STORED,
	CONSTRAINT "tasks_has_a_space" CHECK (space_id is not null)
);
--> statement-breakpoint
CREATE TABLE "team_members" (
	"team_id" uuid NOT NULL,
	"user_id" uuid NOT NULL,
	"role" "team_role" DEFAULT 'member' NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "team_members_user_id_team_id_pk" PRIMARY KEY("user_id","team_id")
);
--> statement-breakpoint
CREATE TABLE "teams" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "users" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"email" text NOT NULL,
	"email_verified" boolean DEFAULT false NOT NULL,
	"image" text,
	"role" text DEFAULT 'user' NOT NULL,
	"banned" boolean DEFAULT false NOT NULL,
	"ban_reason" text,
	"ban_expires" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "verifications" (
	"id" uuid PRIMARY KEY NOT NULL,
	"identifier" text NOT NULL,
	"value" text NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "accounts" ADD CONSTRAINT "accounts_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_reference_id_users_id_fk" FOREIGN KEY ("reference_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "credentials" ADD CONSTRAINT "credentials_owner_id_users_id_fk" FOREIGN KEY ("owner_id") REFERENCES "public"."users"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "credentials" ADD CONSTRAINT "credentials_team_id_teams_id_fk" FOREIGN KEY ("team_id") REFERENCES "public"."teams"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "federation_certificates" ADD CONSTRAINT "federation_certificates_grant_id_federation_grants_id_fk" FOREIGN KEY ("grant_id") REFERENCES "public"."federation_grants"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "federation_enrollment_tokens" ADD CONSTRAINT "federation_enrollment_tokens_grant_id_federation_grants_id_fk" FOREIGN KEY ("grant_id") REFERENCES "public"."federation_grants"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "federation_grant_scopes" ADD CONSTRAINT "federation_grant_scopes_grant_id_federation_grants_id_fk" FOREIGN KEY ("grant_id") REFERENCES "public"."federation_grants"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "federation_peers" ADD CONSTRAINT "federation_peers_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "idempotency_keys" ADD CONSTRAINT "idempotency_keys_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "memories" ADD CONSTRAINT "memories_owner_id_users_id_fk" FOREIGN KEY ("owner_id") REFERENCES "public"."users"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "memories" ADD CONSTRAINT "memories_team_id_teams_id_fk" FOREIGN KEY ("team_id") REFERENCES "public"."teams"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "notes" ADD CONSTRAINT "notes_owner_id_users_id_fk" FOREIGN KEY ("owner_id") REFERENCES "public"."users"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "notes" ADD CONSTRAINT "notes_team_id_teams_id_fk" FOREIGN KEY ("team_id") REFERENCES "public"."teams"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tasks" ADD CONSTRAINT "tasks_owner_id_users_id_fk" FOREIGN KEY ("owner_id") REFERENCES "public"."users"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tasks" ADD CONSTRAINT "tasks_team_id_teams_id_fk" FOREIGN KEY ("team_id") REFERENCES "public"."teams"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "team_members" ADD CONSTRAINT "team_members_team_id_teams_id_fk" FOREIGN KEY ("team_id") REFERENCES "public"."teams"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "team_members" ADD CONSTRAINT "team_members_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "accounts_user" ON "accounts" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "api_keys_key" ON "api_keys" USING btree ("key");--> statement-breakpoint
CREATE INDEX "api_keys_reference" ON "api_keys" USING btree ("reference_id");--> statement-breakpoint
CREATE INDEX "credentials_space_id_id" ON "credentials" USING btree ("space_id","id");--> statement-breakpoint
CREATE INDEX "credentials_space_id_updated_at_id" ON "credentials" USING btree ("space_id","updated_at","id");--> statement-breakpoint
CREATE UNIQUE INDEX "credentials_space_id_key_unique" ON "credentials" USING btree ("space_id","key");--> statement-breakpoint
CREATE INDEX "credentials_search_document" ON "credentials" USING gin ("search_document");--> statement-breakpoint
CREATE INDEX "federation_audit_log_at" ON "federation_audit_log" USING btree ("at" DESC NULLS FIRST,"id" DESC NULLS FIRST);--> statement-breakpoint
CREATE INDEX "federation_audit_log_grant" ON "federation_audit_log" USING btree ("grant_id","id" DESC NULLS FIRST);--> statement-breakpoint
CREATE INDEX "federation_audit_log_querying" ON "federation_audit_log" USING btree ("subject_user_id","id" DESC NULLS FIRST) WHERE side = 'querying';--> statement-breakpoint
CREATE UNIQUE INDEX "federation_audit_log_position_unique" ON "federation_audit_log" USING btree ("position");--> statement-breakpoint
CREATE INDEX "federation_audit_log_unchained" ON "federation_audit_log" USING btree ("id") WHERE position is null;--> statement-breakpoint
CREATE INDEX "federation_certificates_grant" ON "federation_certificates" USING btree ("grant_id");--> statement-breakpoint
CREATE UNIQUE INDEX "federation_certificates_spki_unique" ON "federation_certificates" USING btree ("spki");--> statement-breakpoint
CREATE UNIQUE INDEX "federation_enrollment_tokens_hash_unique" ON "federation_enrollment_tokens" USING btree ("token_hash");--> statement-breakpoint
CREATE INDEX "federation_enrollment_tokens_grant" ON "federation_enrollment_tokens" USING btree ("grant_id");--> statement-breakpoint
CREATE INDEX "federation_grant_scopes_grant" ON "federation_grant_scopes" USING btree ("grant_id","id");--> statement-breakpoint
CREATE INDEX "federation_grants_subject" ON "federation_grants" USING btree ("subject_user_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX "federation_peers_user_name_unique" ON "federation_peers" USING btree ("user_id","name");--> statement-breakpoint
CREATE UNIQUE INDEX "federation_peers_user_token_unique" ON "federation_peers" USING btree ("user_id","token_hash");--> statement-breakpoint
CREATE INDEX "federation_peers_renew_at" ON "federation_peers" USING btree ("renew_at");--> statement-breakpoint
CREATE INDEX "federation_revocations_told_at" ON "federation_revocations" USING btree ("told_at","next_attempt_at");--> statement-breakpoint
CREATE INDEX "idempotency_keys_created_at" ON "idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "memories_space_id_id" ON "memories" USING btree ("space_id","id");--> statement-breakpoint
CREATE INDEX "memories_space_id_updated_at_id" ON "memories" USING btree ("space_id","updated_at","id");--> statement-breakpoint
CREATE UNIQUE INDEX "memories_space_id_key_unique" ON "memories" USING btree ("space_id","key");--> statement-breakpoint
CREATE INDEX "memories_search_document" ON "memories" USING gin ("search_document");--> statement-breakpoint
CREATE INDEX "notes_space_id_id" ON "notes" USING btree ("space_id","id");--> statement-breakpoint
CREATE INDEX "notes_space_id_updated_at_id" ON "notes" USING btree ("space_id","updated_at","id");--> statement-breakpoint
CREATE UNIQUE INDEX "notes_space_id_key_unique" ON "notes" USING btree ("space_id","key");--> statement-breakpoint
CREATE INDEX "notes_search_document" ON "notes" USING gin ("search_document");--> statement-breakpoint
CREATE UNIQUE INDEX "sessions_token_unique" ON "sessions" USING btree ("token");--> statement-breakpoint
CREATE INDEX "sessions_user" ON "sessions" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "tasks_space_id_id" ON "tasks" USING btree ("space_id","id");--> statement-breakpoint
CREATE INDEX "tasks_space_id_updated_at_id" ON "tasks" USING btree ("space_id","updated_at","id");--> statement-breakpoint
CREATE UNIQUE INDEX "tasks_space_id_key_unique" ON "tasks" USING btree ("space_id","key");--> statement-breakpoint
CREATE INDEX "tasks_search_document" ON "tasks" USING gin ("search_document");--> statement-breakpoint
CREATE INDEX "team_members_team" ON "team_members" USING btree ("team_id");--> statement-breakpoint
CREATE UNIQUE INDEX "teams_name_unique" ON "teams" USING btree ("name");--> statement-breakpoint
CREATE UNIQUE INDEX "users_email_unique" ON "users" USING btree ("email");--> statement-breakpoint
CREATE INDEX "users_name" ON "users" USING btree ("name");--> statement-breakpoint
CREATE INDEX "verifications_identifier" ON "verifications" USING btree ("identifier");