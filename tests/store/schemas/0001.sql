BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE context (
	id INTEGER NOT NULL, 
	pledge_id INTEGER NOT NULL, 
	credential_id INTEGER NOT NULL, 
	id_context BLOB NOT NULL, 
	aead INTEGER NOT NULL, 
	wrapped_keys BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	CONSTRAINT pk_context PRIMARY KEY (id), 
	CONSTRAINT fk_context_credential_id_credential FOREIGN KEY(credential_id) REFERENCES credential (id), 
	CONSTRAINT fk_context_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
INSERT INTO "context" VALUES(1,1,1,X'00124B0000000001',10,X'0100000002AD0703767A3E74D27FA65826DE9AFDAD4DDB7DDD9C84F59651EB7C47530C7B65AA9D3D3D509CFE1EAC5578F5AB8F4F81A8E20BCA05904E3DE6FF9F83D091945037174FF44220175043912C7097',1796000000000);
INSERT INTO "context" VALUES(2,2,2,X'00124B0000000002',10,X'0100000002ADA3DDCCC39755565047F42273828EC59A2994F44B263FC73FD1EFDB97B7201849EDB0699D7895DA862BB2B1EB157CF1632B24FEA648961A8B2EF93E15AADC438A44328BEF494E5969DA570C75',1796000000000);
INSERT INTO "context" VALUES(3,3,3,X'00124B0000000003',10,X'',1796000000000);
CREATE TABLE context_kid (
	kid_context BLOB NOT NULL, 
	context_id INTEGER NOT NULL, 
	CONSTRAINT pk_context_kid PRIMARY KEY (kid_context, context_id), 
	CONSTRAINT fk_context_kid_context_id_context FOREIGN KEY(context_id) REFERENCES context (id)
);
INSERT INTO "context_kid" VALUES(X'00124B0000000001',1);
INSERT INTO "context_kid" VALUES(X'00124B0000000002',2);
CREATE TABLE context_state (
	context_id INTEGER NOT NULL, 
	highest BIGINT NOT NULL, 
	seen BIGINT NOT NULL, 
	numbers_reserved BIGINT NOT NULL, 
	needs_recovery INTEGER NOT NULL, 
	request_digest BLOB, 
	answer BLOB, 
	answered_at_ms BIGINT, 
	answer_peer BLOB, 
	answer_generation_id INTEGER, 
	joined_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_context_state PRIMARY KEY (context_id), 
	CONSTRAINT ck_context_state_numbers CHECK (numbers_reserved BETWEEN 0 AND 1099511627776), 
	CONSTRAINT fk_context_state_context_id_context FOREIGN KEY(context_id) REFERENCES context (id)
);
INSERT INTO "context_state" VALUES(1,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'F29D8B999C71507A4A8D25125D63467F');
INSERT INTO "context_state" VALUES(2,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'337FE1C9057B0E855CEC0860519C59BB');
INSERT INTO "context_state" VALUES(3,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'4D3465D4FCF852225A99A2FE84818D05');
CREATE TABLE credential (
	id INTEGER NOT NULL, 
	pledge_id INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	wrapped_secret BLOB, 
	aead INTEGER NOT NULL, 
	hkdf INTEGER NOT NULL, 
	provenance VARCHAR(32) NOT NULL, 
	source TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	import_id INTEGER, 
	psk_fingerprint BLOB, 
	sender_fingerprint BLOB NOT NULL, 
	recipient_fingerprint BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	retired_at_ms BIGINT, 
	CONSTRAINT pk_credential PRIMARY KEY (id), 
	CONSTRAINT ck_credential_kind CHECK (kind IN ('psk', 'derived')), 
	CONSTRAINT ck_credential_state CHECK (state IN ('staged','current','candidate','superseded','removed')), 
	CONSTRAINT fk_credential_import_id_import_batch FOREIGN KEY(import_id) REFERENCES import_batch (id), 
	CONSTRAINT fk_credential_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id), 
	CONSTRAINT uq_credential_psk_fingerprint UNIQUE (psk_fingerprint), 
	CONSTRAINT uq_credential_recipient_fingerprint UNIQUE (recipient_fingerprint), 
	CONSTRAINT uq_credential_sender_fingerprint UNIQUE (sender_fingerprint)
);
INSERT INTO "credential" VALUES(1,1,'psk',X'01000000018C090FB24D6D8D53924F5D078E795D698F67C1CBC53BCBC21CE9CBE3C465B4943CC455A85ED4D9764BD725BD',10,-10,'operator','','current',NULL,X'419F54FF046C64E0B2303F3AC499C1D3',X'6E2A05870FB24286C4394E2D68FC9EA8',X'DD23ACB7A7FD52251637C1F817126A35',1796000000000,NULL);
INSERT INTO "credential" VALUES(2,2,'psk',X'010000000194B00F1EC60360780AB72EEF341AAB20FFC232B18B20E1C9B66D0C91708E02B3FEB09946B2BB748FAD046C9D',10,-10,'operator','','current',NULL,X'914E02D01CDB546DA66424B3235C0C6E',X'DD59DCD287858A191061A04228DE2661',X'A0CFCC422A7E4BE47F3F95C25AAAE29A',1796000000000,NULL);
INSERT INTO "credential" VALUES(3,3,'psk',NULL,10,-10,'operator','','removed',NULL,X'6094EEAB6D90C02418DA59076380F691',X'99A5A6C97321E49EE229F6BB2006AB45',X'52C93CD75FB7359FB4C304753F9ECCCB',1796000000000,1796000000000);
CREATE TABLE data_key (
	id INTEGER NOT NULL, 
	purpose VARCHAR(32) NOT NULL, 
	kek_id BLOB NOT NULL, 
	wrapped BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	retired_at_ms BIGINT, 
	CONSTRAINT pk_data_key PRIMARY KEY (id)
);
INSERT INTO "data_key" VALUES(1,'credential',X'8280A12AA72F9B64',X'01D8EBC9346E81546FEC4004E5F512F98A59AC18CD24DD2126E6039B46391755879E08CB32E5B48358780A9DB504730068A9D7E41B79B03E4842A327D0',1796000000000,NULL);
INSERT INTO "data_key" VALUES(2,'context',X'8280A12AA72F9B64',X'010DC3273D92A1771D5CDE7C2AE254CA49BD6CD76BA6159E35BB72DB88C3276C06A5FB3DB4A8975F2B72C37D3D8A4262189BCCCB1BF877041125DA2F96',1796000000000,NULL);
INSERT INTO "data_key" VALUES(3,'link_layer',X'8280A12AA72F9B64',X'01840AA4C48102D5A44E61FD71686B49255E4C559AB65370675EFA8CE70F1D14A6B36E9AFECE5A10534D54A1E12EB0C5FFF360A5FC54CACF48B98613CB',1796000000000,NULL);
INSERT INTO "data_key" VALUES(4,'row_mac',X'8280A12AA72F9B64',X'010C871BE7F2A1C7FB2DA487A898D658D46FFD359F60E307D563CBCDEF3C75FB3203BB820D31027630D9B13209B421734BD086E7905A5BD9E7617AD413',1796000000000,NULL);
INSERT INTO "data_key" VALUES(5,'fingerprint',X'8280A12AA72F9B64',X'01BB1CC5365604C259405B25FF7C43BD011F1B0C2657821FA0DE1B1A1800A19482FEBFEC86CF55231E42A5DAA8F8BA8D5271442BA03A299C23F3727628',1796000000000,NULL);
CREATE TABLE event (
	number INTEGER NOT NULL, 
	at_ms BIGINT NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	pledge BLOB, 
	network VARCHAR(64), 
	actor VARCHAR(128) NOT NULL, 
	reason TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	hash BLOB NOT NULL, 
	CONSTRAINT pk_event PRIMARY KEY (number)
);
INSERT INTO "event" VALUES(1,1796000000000,'key_generation.created',NULL,NULL,'cli:uid=1000','','{"generation":1,"key_domain":"lab","key_ids":[1]}',X'FBCE6269A28A2B16AD9B510BD84886F17D776963F93ABC4AB4E15F6BF6CA0DDE');
INSERT INTO "event" VALUES(2,1796000000000,'network.added',NULL,'lab','cli:uid=1000','','{"identifiers":["cafe"],"join_rate_bytes_per_s":null,"jrc_address":null,"key_domain":"lab","lease_hours":null,"prefix":"2001:db8::/64","profile":"rfc9031","short_ids":"0001-7fff"}',X'E86474788251CF6D59800FCDA537E55D513C2371E7A09E916A21D94DAE906466');
INSERT INTO "event" VALUES(3,1796000000000,'pledge.added',X'00124B0000000001',NULL,'cli:uid=1000','','{"networks":["lab"],"role":"6ln"}',X'1C5D29F68C0FC7EC89EC843D3815A83F88A5EB836127B0A0C36DB5AAC2F418E2');
INSERT INTO "event" VALUES(4,1796000000000,'pledge.added',X'00124B0000000002',NULL,'cli:uid=1000','','{"networks":["lab"],"role":"6ln"}',X'14A9940C648812BE74FFF429E3A432CE76DFAC5DC7458995DF55B48AD8610E8F');
INSERT INTO "event" VALUES(5,1796000000000,'pledge.added',X'00124B0000000003',NULL,'cli:uid=1000','','{"networks":["lab"],"role":"6ln"}',X'4A247B240567216C3709E98EC1E3286FEC21553AADE0EBA85392C098077D5F09');
INSERT INTO "event" VALUES(6,1796000000000,'pledge.revoked',X'00124B0000000002',NULL,'cli:uid=1000','','{}',X'E9323E275D29DA98267222B8FBFCC3A6336151F92B9DF4F24DDC86ACCD3657AA');
INSERT INTO "event" VALUES(7,1796000000000,'pledge.removed',X'00124B0000000003',NULL,'cli:uid=1000','','{}',X'334EB1234C02B79559340AE6C20FAFBA9DAAD97192AAE3E5ED3E9E984FE5D85B');
CREATE TABLE import_batch (
	id INTEGER NOT NULL, 
	source TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	published_at_ms BIGINT, 
	row_count BIGINT NOT NULL, 
	CONSTRAINT pk_import_batch PRIMARY KEY (id), 
	CONSTRAINT ck_import_batch_state CHECK (state IN ('staged', 'published', 'discarded'))
);
CREATE TABLE instance (
	id INTEGER NOT NULL, 
	epoch BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	commit_number BIGINT NOT NULL, 
	event_number BIGINT NOT NULL, 
	event_hash BLOB NOT NULL, 
	policy_revision BIGINT NOT NULL, 
	clock_high_water_ms BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_instance PRIMARY KEY (id), 
	CONSTRAINT ck_instance_single CHECK (id = 1)
);
INSERT INTO "instance" VALUES(1,X'741AD3D058A6E4393F507C00E579EC96',1796000000000,6,7,X'334EB1234C02B79559340AE6C20FAFBA9DAAD97192AAE3E5ED3E9E984FE5D85B',6,1796000000000,7,X'2A44B555A524B6CB032EA77BCA764021');
CREATE TABLE key_domain (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	key_usages VARCHAR(32) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_key_domain PRIMARY KEY (id), 
	CONSTRAINT uq_key_domain_name UNIQUE (name)
);
INSERT INTO "key_domain" VALUES(1,'lab','0',1796000000000,1,X'4A5AE59DED3542959A5593ED7CF8A2A0');
CREATE TABLE key_generation (
	id INTEGER NOT NULL, 
	domain_id INTEGER NOT NULL, 
	number BIGINT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	activated_at_ms BIGINT, 
	retired_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_key_generation PRIMARY KEY (id), 
	CONSTRAINT fk_key_generation_domain_id_key_domain FOREIGN KEY(domain_id) REFERENCES key_domain (id), 
	CONSTRAINT uq_key_generation_domain_id_number UNIQUE (domain_id, number)
);
INSERT INTO "key_generation" VALUES(1,1,1,'current',1796000000000,1796000000000,NULL,1,X'9E0446343D68F14C45282E706928FDC5');
CREATE TABLE link_layer_key (
	id INTEGER NOT NULL, 
	generation_id INTEGER NOT NULL, 
	key_id INTEGER NOT NULL, 
	key_usage INTEGER NOT NULL, 
	key_addinfo BLOB, 
	mic_length INTEGER NOT NULL, 
	fingerprint BLOB NOT NULL, 
	wrapped_value BLOB NOT NULL, 
	provenance VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_link_layer_key PRIMARY KEY (id), 
	CONSTRAINT fk_link_layer_key_generation_id_key_generation FOREIGN KEY(generation_id) REFERENCES key_generation (id), 
	CONSTRAINT uq_link_layer_key_fingerprint UNIQUE (fingerprint)
);
INSERT INTO "link_layer_key" VALUES(1,1,1,0,NULL,4,X'6D040D169F1F200DA76967F22BB7D1FC',X'01000000038F511930EB90D56E0AAEE3A135EB557A1C714E1BE2D3F3D7A8CC5710DCAB54EA66CEDB1098B39EAC6C32C9E1','generated');
CREATE TABLE network (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	domain_id INTEGER NOT NULL, 
	prefix VARCHAR(43) NOT NULL, 
	jrc_address VARCHAR(39), 
	short_id_first INTEGER NOT NULL, 
	short_id_last INTEGER NOT NULL, 
	lease_hours BIGINT, 
	join_rate BIGINT, 
	profile VARCHAR(16) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	removed_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_network PRIMARY KEY (id), 
	CONSTRAINT fk_network_domain_id_key_domain FOREIGN KEY(domain_id) REFERENCES key_domain (id)
);
INSERT INTO "network" VALUES(1,'lab',1,'2001:db8::/64',NULL,1,32767,NULL,NULL,'rfc9031',1796000000000,NULL,1,X'A74684673AE8A77DD98CE265166CEEEE');
CREATE TABLE network_identifier (
	network_id INTEGER NOT NULL, 
	identifier BLOB NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT pk_network_identifier PRIMARY KEY (network_id, identifier), 
	CONSTRAINT fk_network_identifier_network_id_network FOREIGN KEY(network_id) REFERENCES network (id)
);
INSERT INTO "network_identifier" VALUES(1,X'CAFE',0);
CREATE TABLE node (
	pledge_id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	role INTEGER NOT NULL, 
	generation_id INTEGER NOT NULL, 
	first_joined_at_ms BIGINT NOT NULL, 
	address VARCHAR(39), 
	CONSTRAINT pk_node PRIMARY KEY (pledge_id), 
	CONSTRAINT fk_node_generation_id_key_generation FOREIGN KEY(generation_id) REFERENCES key_generation (id), 
	CONSTRAINT fk_node_network_id_network FOREIGN KEY(network_id) REFERENCES network (id), 
	CONSTRAINT fk_node_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE TABLE pledge (
	id INTEGER NOT NULL, 
	identifier BLOB NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	state_before_revocation VARCHAR(16), 
	role INTEGER NOT NULL, 
	label TEXT NOT NULL, 
	profile VARCHAR(16), 
	credential_id INTEGER, 
	import_id INTEGER, 
	supersedes_id INTEGER, 
	created_at_ms BIGINT NOT NULL, 
	updated_at_ms BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_pledge PRIMARY KEY (id), 
	CONSTRAINT fk_pledge_import_id_import_batch FOREIGN KEY(import_id) REFERENCES import_batch (id), 
	CONSTRAINT fk_pledge_supersedes_id_pledge FOREIGN KEY(supersedes_id) REFERENCES pledge (id), 
	CONSTRAINT uq_pledge_identifier UNIQUE (identifier)
);
INSERT INTO "pledge" VALUES(1,X'00124B0000000001','provisioned',NULL,0,'',NULL,1,NULL,NULL,1796000000000,1796000000000,1,X'1F986346ABD173B72E2B61D212CA7D12');
INSERT INTO "pledge" VALUES(2,X'00124B0000000002','revoked','provisioned',0,'',NULL,2,NULL,NULL,1796000000000,1796000000000,2,X'9002A6350F443764C6081F2DADDA513F');
INSERT INTO "pledge" VALUES(3,X'00124B0000000003','removed',NULL,0,'',NULL,NULL,NULL,NULL,1796000000000,1796000000000,2,X'F5C37F7F9014695B4127CCF86FFAE631');
CREATE TABLE pledge_network (
	pledge_id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT pk_pledge_network PRIMARY KEY (pledge_id, network_id), 
	CONSTRAINT fk_pledge_network_network_id_network FOREIGN KEY(network_id) REFERENCES network (id), 
	CONSTRAINT fk_pledge_network_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
INSERT INTO "pledge_network" VALUES(1,1,0);
INSERT INTO "pledge_network" VALUES(2,1,0);
CREATE TABLE short_identifier (
	domain_id INTEGER NOT NULL, 
	value INTEGER NOT NULL, 
	pledge_id INTEGER NOT NULL, 
	first_generation BIGINT NOT NULL, 
	last_generation BIGINT NOT NULL, 
	lease_until_ms BIGINT, 
	released_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_short_identifier PRIMARY KEY (domain_id, value), 
	CONSTRAINT ck_short_identifier_value CHECK (value BETWEEN 0 AND 65533), 
	CONSTRAINT fk_short_identifier_domain_id_key_domain FOREIGN KEY(domain_id) REFERENCES key_domain (id), 
	CONSTRAINT fk_short_identifier_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE TABLE staged_change (
	import_id INTEGER NOT NULL, 
	pledge_id INTEGER NOT NULL, 
	credential_id INTEGER, 
	role INTEGER NOT NULL, 
	label TEXT NOT NULL, 
	profile VARCHAR(16), 
	network_ids TEXT NOT NULL, 
	source TEXT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_staged_change PRIMARY KEY (import_id, pledge_id), 
	CONSTRAINT fk_staged_change_credential_id_credential FOREIGN KEY(credential_id) REFERENCES credential (id), 
	CONSTRAINT fk_staged_change_import_id_import_batch FOREIGN KEY(import_id) REFERENCES import_batch (id), 
	CONSTRAINT fk_staged_change_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE TABLE unsupported_parameter (
	pledge_id INTEGER NOT NULL, 
	label BIGINT NOT NULL, 
	code BIGINT NOT NULL, 
	addinfo BLOB, 
	reported_at_ms BIGINT NOT NULL, 
	CONSTRAINT pk_unsupported_parameter PRIMARY KEY (pledge_id, label), 
	CONSTRAINT fk_unsupported_parameter_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE INDEX ix_event_pledge ON event (pledge);
CREATE INDEX ix_network_domain_id ON network (domain_id);
CREATE UNIQUE INDEX uq_network_name_live ON network (name) WHERE removed_at_ms IS NULL;
CREATE INDEX ix_pledge_import_id ON pledge (import_id);
CREATE INDEX ix_credential_import_id ON credential (import_id);
CREATE INDEX ix_credential_pledge_id ON credential (pledge_id);
CREATE INDEX ix_link_layer_key_generation_id ON link_layer_key (generation_id);
CREATE INDEX ix_network_identifier_identifier ON network_identifier (identifier);
CREATE INDEX ix_node_network_id ON node (network_id);
CREATE INDEX ix_pledge_network_network ON pledge_network (network_id, pledge_id);
CREATE INDEX ix_short_identifier_pledge ON short_identifier (pledge_id);
CREATE UNIQUE INDEX uq_short_identifier_holder ON short_identifier (domain_id, pledge_id) WHERE released_at_ms IS NULL;
CREATE INDEX ix_context_credential_id ON context (credential_id);
CREATE INDEX ix_context_pledge_id ON context (pledge_id);
CREATE INDEX ix_staged_change_credential_id ON staged_change (credential_id);
CREATE INDEX ix_context_kid_context_id ON context_kid (context_id);
COMMIT;
